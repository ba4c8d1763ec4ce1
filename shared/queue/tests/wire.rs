//! The queues against a local SQS, and against one that fails in part.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message as Received, QueueAttributeName};
use domain::ids::{RunId, Stage};
use domain::message::{Message, Outgoing, QueueName};
use domain::ports::{Advice, Queue as _, Redelivery as _};
use queue::{Queue, Redelivery};
use serde_json::{Value, json};
use testkit::aws;
use testkit::aws_json::JsonService;

type Outcome = Result<(), Box<dyn Error>>;

fn run() -> Result<RunId, Box<dyn Error>> {
    Ok("vive-sphere.bot-manager.0123456789abcdef0123456789abcdef01234567".parse()?)
}

/// A wake of the service with that number.
fn wake(stage: Stage, number: usize) -> Result<Message, Box<dyn Error>> {
    Ok(Message::wake(&run()?, &format!("{stage}/service-{number}").parse()?))
}

/// A new queue's URL.
async fn queue_url(config: &SdkConfig) -> Result<String, Box<dyn Error>> {
    let created = Client::new(config).create_queue().queue_name(aws::unique("queue")).send().await?;
    Ok(created.queue_url.ok_or("a queue has a URL")?)
}

/// Up to ten of the messages that are visible now; they stay hidden for half a minute.
async fn receive(config: &SdkConfig, url: &str) -> Result<Vec<Received>, Box<dyn Error>> {
    let answer =
        Client::new(config).receive_message().queue_url(url).max_number_of_messages(10).send().await?;
    Ok(answer.messages.unwrap_or_default())
}

async fn receive_all(config: &SdkConfig, url: &str) -> Result<Vec<Message>, Box<dyn Error>> {
    let mut messages = Vec::new();
    loop {
        let received = receive(config, url).await?;
        if received.is_empty() {
            return Ok(messages);
        }
        for message in received {
            messages.push(serde_json::from_str(message.body().unwrap_or_default())?);
        }
    }
}

async fn count(config: &SdkConfig, url: &str, which: QueueAttributeName) -> Result<String, Box<dyn Error>> {
    let answer = Client::new(config)
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(which.clone())
        .send()
        .await?;
    Ok(answer.attributes().and_then(|all| all.get(&which)).cloned().unwrap_or_default())
}

#[tokio::test]
async fn each_message_reaches_its_queue() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let (tests, builds) = (queue_url(&config).await?, queue_url(&config).await?);
    let urls =
        [(QueueName::Stage(Stage::Test), tests.clone()), (QueueName::Stage(Stage::Build), builds.clone())];
    let expected: Vec<Message> = (0..23).map(|number| wake(Stage::Test, number)).collect::<Result<_, _>>()?;
    let mut messages: Vec<Outgoing> = expected.iter().cloned().map(Outgoing::now).collect();
    messages.insert(11, Outgoing::now(wake(Stage::Build, 1)?));

    let queue = Queue::new(&config, urls.into());
    queue.send(&messages).await?;
    queue.send(&[]).await?;

    let mut received = receive_all(&config, &tests).await?;
    assert_eq!(received.len(), expected.len());
    received.retain(|message| !expected.contains(message));
    assert_eq!(received, []);
    assert_eq!(receive_all(&config, &builds).await?, [wake(Stage::Build, 1)?]);
    Ok(())
}

#[tokio::test]
async fn a_delayed_message_is_not_there_yet() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let url = queue_url(&config).await?;
    let queue = Queue::new(&config, [(QueueName::Notify, url.clone())].into());
    let message = Message::Notify { run: run()? };

    queue.send(&[Outgoing { message, delay: Duration::from_hours(1) }]).await?;

    assert_eq!(receive_all(&config, &url).await?, []);
    assert_eq!(count(&config, &url, QueueAttributeName::ApproximateNumberOfMessagesDelayed).await?, "1");
    Ok(())
}

#[tokio::test]
async fn an_unknown_queue_is_refused_by_the_name_of_its_variable() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let queue = Queue::new(&config, BTreeMap::new());

    let fault = queue.send(&[Outgoing::now(wake(Stage::Build, 1)?)]).await.err().ok_or("it was sent")?;

    assert_eq!(fault.advice, Advice::Reject);
    assert_eq!(fault.chain(), "`BUILD_QUEUE_URL` is not set, but a message must go there");
    Ok(())
}

#[tokio::test]
async fn a_queue_that_does_not_exist_is_refused() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let url = queue_url(&config).await?.replace("queue-", "nowhere-");
    let queue = Queue::new(&config, [(QueueName::Notify, url)].into());

    let sent = queue.send(&[Outgoing::now(Message::Notify { run: run()? })]).await;

    let fault = sent.err().ok_or("it was sent")?;
    assert_eq!(fault.advice, Advice::Reject, "{}", fault.chain());
    Ok(())
}

#[tokio::test]
async fn a_message_is_given_back_for_the_time_asked() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let url = queue_url(&config).await?;
    let queue = Queue::new(&config, [(QueueName::Notify, url.clone())].into());
    queue.send(&[Outgoing::now(Message::Notify { run: run()? })]).await?;
    let redelivery = Redelivery::new(&config, &url, "http://127.0.0.1/000000000000/nowhere");

    let first = receive(&config, &url).await?;
    let receipt = first.first().and_then(Received::receipt_handle).ok_or("nothing came")?;
    redelivery.delay(receipt, Duration::ZERO).await?;
    let second = receive(&config, &url).await?;
    let receipt = second.first().and_then(Received::receipt_handle).ok_or("it did not come back")?;
    redelivery.delay(receipt, Duration::from_hours(24)).await?;

    assert!(receive(&config, &url).await?.is_empty());
    assert_eq!(count(&config, &url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_message_is_set_aside_with_its_reason() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let (url, letters) = (queue_url(&config).await?, queue_url(&config).await?);
    let redelivery = Redelivery::new(&config, &url, &letters);
    let (body, reason) = ("{\"kind\": …\n", "\u{1b}[31mfield `run`\u{0}:\nmust be a run's id");

    redelivery.set_aside(body, reason).await?;
    redelivery.set_aside(body, "").await?;

    let received = Client::new(&config)
        .receive_message()
        .queue_url(&letters)
        .max_number_of_messages(10)
        .message_attribute_names("All")
        .send()
        .await?;
    let mut reasons = Vec::new();
    for message in received.messages() {
        let attributes = message.message_attributes().ok_or("no attributes")?;
        let text =
            |name: &str| attributes.get(name).and_then(|value| value.string_value()).unwrap_or_default();
        assert_eq!(message.body(), Some(body));
        assert_eq!(Some(text("function")), url.rsplit('/').next());
        assert!(text("at").ends_with('Z'), "{}", text("at"));
        reasons.push(text("reason").to_owned());
    }
    reasons.sort();
    assert_eq!(reasons, ["field `run`: must be a run's id", "no reason was given"]);
    assert!(receive(&config, &url).await?.is_empty(), "the own queue is left alone");
    Ok(())
}

#[tokio::test]
async fn what_sqs_does_not_take_is_left_to_the_caller() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let url = queue_url(&config).await?;
    let redelivery = Redelivery::new(&config, &url, url.replace("queue-", "nowhere-"));

    let fault = redelivery.set_aside("{", "no JSON").await.err().ok_or("it was set aside")?;

    assert_eq!(fault.advice, Advice::Reject, "{}", fault.chain());
    Ok(())
}

/// SQS's answer to a batch: the entries with these numbers fail.
fn batch_answer(input: &Value, failing: &[&str], sender_fault: bool) -> (u16, Value) {
    let ids = input["Entries"].as_array().into_iter().flatten().filter_map(|entry| entry["Id"].as_str());
    let (failed, sent): (Vec<&str>, Vec<&str>) = ids.partition(|id| failing.contains(id));
    let failed: Vec<Value> = failed
        .iter()
        .map(|id| json!({ "Id": id, "Code": "Trouble", "Message": "so it is", "SenderFault": sender_fault }))
        .collect();
    let sent: Vec<Value> =
        sent.iter().map(|id| json!({ "Id": id, "MessageId": id, "MD5OfMessageBody": "" })).collect();
    (200, json!({ "Failed": failed, "Successful": sent }))
}

/// Sends three messages to a queue that answers like that, and tells how it ended and how often it was asked.
async fn send_to<F>(answer: F) -> Result<(Option<(Advice, String)>, Vec<usize>), Box<dyn Error>>
where
    F: FnMut(&str, &Value) -> (u16, Value) + Send + 'static,
{
    let service = JsonService::start(answer).await?;
    let url = "http://127.0.0.1/000000000000/notify".to_owned();
    let queue = Queue::new(&service.config(), [(QueueName::Notify, url)].into());
    let messages = vec![Outgoing::now(Message::Notify { run: run()? }); 3];
    let sent = queue.send(&messages).await;
    let requests = service.requests();
    let sizes = requests.iter().map(|(_, input)| input["Entries"].as_array().map_or(0, Vec::len)).collect();
    Ok((sent.err().map(|fault| (fault.advice, fault.chain())), sizes))
}

#[tokio::test]
async fn what_a_batch_left_out_is_sent_again() -> Outcome {
    let mut first = true;
    let (fault, sizes) = send_to(move |_, input| {
        let failing: &[&str] = if std::mem::take(&mut first) { &["0", "2"] } else { &[] };
        batch_answer(input, failing, false)
    })
    .await?;
    assert_eq!((fault, sizes), (None, vec![3, 2]));
    Ok(())
}

#[tokio::test]
async fn a_queue_that_keeps_failing_is_left_to_the_caller() -> Outcome {
    let (fault, sizes) = send_to(|_, input| batch_answer(input, &["1"], false)).await?;
    let (advice, chain) = fault.ok_or("it was sent")?;
    assert_eq!((advice, sizes), (Advice::Retry(None), vec![3, 1, 1]));
    assert!(chain.ends_with("Trouble: so it is"), "{chain}");
    Ok(())
}

#[tokio::test]
async fn a_message_that_sqs_will_never_take_is_refused() -> Outcome {
    let (fault, sizes) = send_to(|_, input| batch_answer(input, &["1"], true)).await?;
    assert_eq!((fault.map(|(advice, _)| advice), sizes), (Some(Advice::Reject), vec![3]));
    Ok(())
}
