//! `slipway dlq` against the queues of a stack on the local AWS, reached as a stack on AWS is.

use std::fmt::Write as _;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};
use local::Aws;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const FUNCTIONS: [&str; 8] = ["plan", "test", "build", "publish", "deploy", "verify", "notify", "sweep"];
const RUN: &str = "vive-sphere.bot-manager.0123456789abcdef0123456789abcdef01234567";

/// A wake that the test queue takes.
fn wake(service: &str) -> String {
    json!({ "kind": "task", "run": RUN, "task": format!("test/{service}") }).to_string()
}

/// A stack with Slipway's queues, named and given out as in `template.yaml`.
struct Stack {
    name: String,
    aws: Aws,
}

impl Stack {
    async fn new() -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("letters-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let aws = Aws::at(local_ministack::shared().endpoint());
        let mut template = "Resources:\n".to_owned();
        for function in FUNCTIONS {
            for (id, suffix) in [("Queue", ""), ("DeadLetters", "-dead-letters")] {
                writeln!(template, "  {function}{id}:\n    Type: AWS::SQS::Queue")?;
                writeln!(template, "    Properties: {{ QueueName: {name}-{function}{suffix} }}")?;
            }
        }
        template.push_str("Outputs:\n");
        for function in FUNCTIONS {
            let (first, rest) = function.split_at(1);
            writeln!(
                template,
                "  {}{rest}QueueUrl: {{ Value: !Ref {function}Queue }}",
                first.to_uppercase()
            )?;
        }
        let form = [("Action", "CreateStack"), ("StackName", &name), ("TemplateBody", &template)];
        aws.query("cloudformation", &form.map(|(key, value)| (key.to_owned(), value.to_owned()))).await?;
        let stack = Self { name, aws };
        let describe = [("Action", "DescribeStacks"), ("StackName", &stack.name)];
        let describe = describe.map(|(key, value)| (key.to_owned(), value.to_owned()));
        while !stack.aws.query("cloudformation", &describe).await?.contains("CREATE_COMPLETE") {
            tokio::task::yield_now().await;
        }
        Ok(stack)
    }

    async fn url(&self, queue: &str) -> anyhow::Result<String> {
        let name = json!({ "QueueName": format!("{}-{queue}", self.name) });
        let answer = self.aws.json("sqs", "AmazonSQS.GetQueueUrl", &name).await?;
        Ok(answer["QueueUrl"].as_str().context("a URL")?.to_owned())
    }

    /// Puts a message among the dead letters of a function; gives its id back.
    async fn set_aside(&self, function: &str, body: &str, reason: Option<&str>) -> anyhow::Result<String> {
        let mut message =
            json!({ "QueueUrl": self.url(&format!("{function}-dead-letters")).await?, "MessageBody": body });
        if let Some(reason) = reason {
            message["MessageAttributes"] =
                json!({ "reason": { "DataType": "String", "StringValue": reason } });
        }
        let sent = self.aws.json("sqs", "AmazonSQS.SendMessage", &message).await?;
        Ok(sent["MessageId"].as_str().context("an id")?.to_owned())
    }

    /// The bodies that can be received from a queue right now.
    async fn bodies(&self, queue: &str) -> anyhow::Result<Vec<String>> {
        let receive =
            json!({ "QueueUrl": self.url(queue).await?, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0 });
        let answer = self.aws.json("sqs", "AmazonSQS.ReceiveMessage", &receive).await?;
        let messages = answer["Messages"].as_array().into_iter().flatten();
        Ok(messages.filter_map(|message| message["Body"].as_str()).map(str::to_owned).collect())
    }

    /// `slipway dlq` with these arguments, standard input and editor.
    async fn run(&self, arguments: &[&str], input: &str, editor: &str) -> anyhow::Result<Told> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_slipway"))
            .arg("dlq")
            .args(arguments)
            .args(["--stack", &self.name])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_ENDPOINT_URL", local_ministack::shared().endpoint())
            .env("AWS_REGION", local_ministack::REGION)
            .env("AWS_ACCESS_KEY_ID", local_ministack::CREDENTIAL)
            .env("AWS_SECRET_ACCESS_KEY", local_ministack::CREDENTIAL)
            .env("EDITOR", editor)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut pipe = child.stdin.take().context("it is piped")?;
        pipe.write_all(input.as_bytes()).await?;
        drop(pipe);
        Told::of(&child.wait_with_output().await?)
    }

    async fn dlq(&self, arguments: &[&str]) -> anyhow::Result<Told> {
        self.run(arguments, "", "false").await
    }
}

/// What the command said.
#[derive(Debug)]
struct Told {
    good: bool,
    out: String,
    error: String,
}

impl Told {
    fn of(output: &Output) -> anyhow::Result<Self> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
        Ok(Self { good: output.status.success(), out: text(&output.stdout)?, error: text(&output.stderr)? })
    }

    fn says(&self, good: bool, text: &str) -> anyhow::Result<()> {
        ensure!(
            self.good == good && (self.out.contains(text) || self.error.contains(text)),
            "`{text}`: {self:?}"
        );
        Ok(())
    }
}

#[tokio::test]
async fn a_message_is_listed_mended_and_sent_again() -> anyhow::Result<()> {
    let stack = Stack::new().await?;
    let wrong = wake("a").replace("test/a", "test");
    let id = stack.set_aside("test", &wrong, Some("field `task` must be a task id")).await?;
    // Looking hides nothing: the second look sees the same.
    for _ in 0..2 {
        let list = stack.dlq(&["list"]).await?;
        list.says(true, "test: 1 message, the oldest")?;
        list.says(true, &id[..8])?;
        list.says(true, "test of vive-sphere.bot-manager.0123456")?;
        list.says(true, "field `task` must be a task id")?;
        list.says(true, "nothing lies in `plan`, `build`")?;
    }

    stack.dlq(&["redrive", &id[..8]]).await?.says(false, "field `task` must be a task id: `<stage>")?;
    let given = stack.run(&["redrive", &id, "--body", "-"], "{\"kind\": \"tusk\"}", "false").await?;
    given.says(false, "field `kind` must be `plan`")?;
    stack.run(&["redrive", &id, "--edit"], "", "true").await?.says(false, "the body was not changed")?;
    stack.run(&["redrive", &id, "--edit"], "", "false").await?.says(false, "nothing was sent")?;
    let half = stack.run(&["redrive", &id, "--edit"], "", "sed -i s/kind/kund/").await?;
    half.says(false, "field `kind` is missing")?;
    let kept =
        half.error.split("--body ").nth(1).and_then(|rest| rest.split('`').next()).context("a file")?;
    ensure!(std::fs::read_to_string(kept)?.contains("\"kund\": \"task\""), "what was written is lost");
    std::fs::remove_file(kept)?;
    ensure!(stack.bodies("test").await?.is_empty(), "something was sent");
    ensure!(stack.bodies("test-dead-letters").await? == [wrong], "the letter has not stayed");

    let edited = stack.run(&["redrive", &id, "--edit"], "", "sed -i s,test\\\",test/a\\\",").await?;
    edited.says(true, &format!("{id} is on the `test` queue again"))?;
    let sent: Value = serde_json::from_str(stack.bodies("test").await?.first().context("it was sent")?)?;
    ensure!(sent == serde_json::from_str::<Value>(&wake("a"))?, "{sent}");
    ensure!(stack.bodies("test-dead-letters").await?.is_empty(), "the letter lies there still");
    Ok(())
}

#[tokio::test]
async fn many_are_sent_again_but_those_that_nobody_could_read() -> anyhow::Result<()> {
    let stack = Stack::new().await?;
    for number in 0..23 {
        stack.set_aside("test", &wake(&format!("service-{number}")), None).await?;
    }
    let unreadable = stack.set_aside("build", "no JSON", None).await?;
    let schedule = stack.set_aside("sweep", "{}", None).await?;
    let list = stack.dlq(&["list", "--json"]).await?;
    let queues: Value = serde_json::from_str(&list.out)?;
    ensure!(queues[1]["queue"] == "test" && queues[1]["count"] == 23, "{queues:#}");
    ensure!(queues[1]["messages"].as_array().map(Vec::len) == Some(23), "{queues:#}");
    ensure!(queues[2]["messages"][0]["id"] == unreadable && queues[2]["messages"][0]["reason"].is_null());

    let all = stack.dlq(&["redrive", "--all"]).await?;
    all.says(false, "23 sent again, 2 left")?;
    all.says(false, &format!("{unreadable} stays in `build`: the body is not a JSON object"))?;
    all.says(false, &format!("{schedule} stays in `sweep`: `sweep` has no queue"))?;
    let depth = json!({ "QueueUrl": stack.url("test").await?, "AttributeNames": ["All"] });
    let depth = stack.aws.json("sqs", "AmazonSQS.GetQueueAttributes", &depth).await?;
    ensure!(depth["Attributes"]["ApproximateNumberOfMessages"] == "23", "{depth}");
    // What stayed can be seen at once, and sent nevertheless where somebody insists.
    let insisted = stack.dlq(&["redrive", "--all", "--queue", "build", "--unchecked"]).await?;
    insisted.says(true, "1 sent again, 0 left")?;
    ensure!(stack.bodies("build").await? == ["no JSON"]);
    Ok(())
}

#[tokio::test]
async fn what_is_dropped_is_printed_so_that_it_can_be_sent_again() -> anyhow::Result<()> {
    let stack = Stack::new().await?;
    let first = stack.set_aside("deploy", "one", Some("it is no JSON")).await?;
    stack.set_aside("deploy", "two", None).await?;
    stack.dlq(&["drop", &first]).await?.says(false, "`--yes` drops without a question")?;
    stack.dlq(&["drop", "", "--yes"]).await?.says(false, "write more of it")?;
    stack.dlq(&["drop", "nobody", "--yes"]).await?.says(false, "no dead letter has an id")?;
    stack.dlq(&["drop"]).await?.says(false, "--all")?;

    let dropped = stack.dlq(&["drop", &first, "--yes"]).await?;
    let line: Value = serde_json::from_str(dropped.out.trim())?;
    ensure!(
        line == json!({ "queue": "deploy", "id": first, "reason": "it is no JSON", "body": "one" }),
        "{line}"
    );
    ensure!(stack.bodies("deploy-dead-letters").await? == ["two"]);
    let all = stack.dlq(&["drop", "--all", "--yes"]).await?;
    all.says(true, "\"body\":\"two\"")?;
    stack.dlq(&["list"]).await?.says(true, "nothing lies in `plan`, `test`")?;
    Ok(())
}

#[tokio::test]
async fn a_letter_is_shown_whole_and_moves_no_cursor() -> anyhow::Result<()> {
    let stack = Stack::new().await?;
    let body = "{\"kind\": \"task\", \"task\": \"te\\u001b[2Jst\", \"run\": \"\u{202e}x\u{9b}\"}";
    let id = stack.set_aside("verify", body, Some("field `run`\u{9b}31m must\u{202e} be a run id")).await?;
    for arguments in [&["show", &id[..6]][..], &["show", &id, "--json"], &["list"], &["drop", &id, "--yes"]] {
        let told = stack.dlq(arguments).await?;
        ensure!(told.good, "{told:?}");
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        ensure!(!told.out.contains(hostile), "{arguments:?}: {:?}", told.out);
        told.says(true, "field `run`")?;
        if arguments[0] == "drop" {
            let dropped: Value = serde_json::from_str(told.out.trim())?;
            ensure!(dropped["body"] == body, "{dropped}");
        }
        if arguments.len() == 2 {
            for part in [&id, "verify", "times from this queue", "  \"kind\": \"task\"", "\\u001b[2J"] {
                told.says(true, part)?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_stack_that_is_not_there_is_named() -> anyhow::Result<()> {
    let nowhere = Stack { name: "nowhere".to_owned(), aws: Aws::at(local_ministack::shared().endpoint()) };
    nowhere.dlq(&["list"]).await?.says(false, "is `nowhere` the name of a Slipway stack")
}
