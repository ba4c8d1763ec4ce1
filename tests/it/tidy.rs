//! The tidy test: rules that no compiler holds, all judged before anything is reported.
//! Every finding names a file and what to do.

mod arrows;
mod binaries;
mod checkout;
mod crates;
mod events;
mod projects;
mod queues;
mod roles;
mod sources;
mod template;
mod variables;

use checkout::Checkout;
use crates::Crates;
use template::Template;

/// What is wrong, where, and the remedy: one sentence each.
type Findings = Vec<String>;

#[test]
fn the_checkout_is_tidy() -> anyhow::Result<()> {
    let checkout = Checkout::here()?;
    let crates = Crates::read(checkout.root())?;
    let template = Template::parse(&checkout.text("template.yaml")?)?;
    let findings = [
        arrows::check(&crates),
        arrows::check_manifests(&checkout, &crates)?,
        sources::check(&checkout)?,
        sources::check_makefile(&checkout.text("Makefile")?),
        variables::check(&template, &checkout)?,
        roles::check(&template, &checkout, &crates)?,
        queues::check(&template),
        projects::check(&template),
        events::check(&template, &checkout)?,
        binaries::check(&template, &checkout)?,
    ]
    .concat();
    assert!(findings.is_empty(), "{} findings:\n- {}", findings.len(), findings.join("\n- "));
    Ok(())
}

/// The rules about the template see what they are there to see.
#[test]
fn a_template_that_breaks_a_rule_is_found() -> anyhow::Result<()> {
    let checkout = Checkout::here()?;
    let crates = Crates::read(checkout.root())?;
    let text = checkout.text("template.yaml")?;
    for (from, to, found) in [
        ("      VisibilityTimeout: 360", "      VisibilityTimeout: 60", "must be at least 360"),
        ("      SqsManagedSseEnabled: true\n", "", "is not encrypted"),
        ("        maxReceiveCount: 10", "        maxReceiveCount: 4", "maxReceiveCount"),
        ("            FunctionResponseTypes: [ReportBatchItemFailures]\n", "", "ReportBatchItemFailures"),
        (
            "          DeadLetterConfig:\n            Arn: !GetAtt TestDeadLetters.Arn\n",
            "",
            "no dead-letter queue",
        ),
        (
            "!GetAtt TestBuildChanges.Arn }",
            "!GetAtt BuildBuildChanges.Arn }",
            "limited to `TestBuildChanges.Arn`",
        ),
        (
            "      Queues: [!Ref TestQueue, !Ref TestDeadLetters]",
            "      Queues: [!Ref TestQueue]",
            "TestDeadLetters",
        ),
        ("          WEBHOOK_SECRET_ID: !Ref WebhookSecret\n", "", "reads `WEBHOOK_SECRET_ID`"),
        ("          WEBHOOK_SECRET_ID:", "          WEBHOOK_SECRET:", "`WEBHOOK_SECRET`, which nobody reads"),
        ("TEST_QUEUE_URL: !Ref TestQueue", "TEST_QUEUE_URL: !Ref BuildQueue", "is set to `BuildQueue`"),
        (
            "DEAD_LETTERS_URL: !Ref TestDeadLetters",
            "DEAD_LETTERS_URL: !Ref BuildDeadLetters",
            "the dead letters of the queue that wakes it",
        ),
        (
            "                  - !GetAtt TestDeadLetters.Arn\n",
            "                  - !GetAtt BuildDeadLetters.Arn\n",
            "with its own dead letters",
        ),
        (
            "                Action: sqs:SendMessage\n",
            "                Action: ecr:PutImage\n",
            "`ecr:PutImage`",
        ),
        (
            "                Resource: !GetAtt PlanQueue.Arn\n",
            "                Resource: '*'\n",
            "every resource",
        ),
        (
            "                Action: secretsmanager:GetSecretValue\n",
            "                Action: s3:PutObject\n",
            "GetSecretValue",
        ),
        (
            "                Action: s3:ListBucket\n",
            "                Action: s3:GetObject\n",
            "s3:ListBucket",
        ),
        (
            "MetricName: ApproximateAgeOfOldestMessage",
            "MetricName: ApproximateNumberOfMessagesVisible",
            "no alarm watches `ApproximateAgeOfOldestMessage` of `PlanDeadLetters`",
        ),
        (
            "Value: !GetAtt SweepDeadLetters.QueueName",
            "Value: !GetAtt PlanDeadLetters.QueueName",
            "of `SweepDeadLetters`",
        ),
        ("[!Ref AlarmTopicArn]", "[]", "tells `AlarmTopicArn`"),
        (
            "                Resource: !Sub ${Bucket.Arn}/untrusted/sources/*\n",
            "                Resource: !Sub ${Bucket.Arn}/sources/*\n",
            "allows `s3:GetObject` on `${Bucket.Arn}/sources/*`",
        ),
        (
            "                Resource: !Sub ${Bucket.Arn}/cache/*\n",
            "                Resource: !Sub ${Bucket.Arn}/*\n",
            "which is the strangers'",
        ),
        ("[!Ref TestProject, !Ref UntrustedProject]", "[!Ref TestProject]", "builds of `UntrustedProject`"),
        (
            "ServiceRole: !GetAtt UntrustedProjectRole.Arn",
            "ServiceRole: !GetAtt TestProjectRole.Arn",
            "share a role",
        ),
        (":secret:${AWS::StackName}/github-*", ":secret:${AWS::StackName}/slack-*", "the secrets"),
        (":secret:${AWS::StackName}/clusters/*", ":secret:${AWS::StackName}/slack-*", "the secrets"),
        ("Action: eks:DescribeCluster", "Action: eks:ListClusters", "`eks:ListClusters`"),
        (
            "                  Resource: !Ref EksClusterArns\n",
            "                  Resource: '*'\n",
            "every resource",
        ),
        (
            "policy/service-role/AWSLambdaENIManagementAccess",
            "policy/AdministratorAccess",
            "has the managed policies",
        ),
        (
            "      VpcConfig: !If\n",
            "      VpcConfigured: !If\n",
            "exactly where the function reaches a cluster",
        ),
    ] {
        anyhow::ensure!(text.contains(from), "the template holds no `{from}` to break");
        let broken = Template::parse(&text.replacen(from, to, 1))?;
        let findings = [
            variables::check(&broken, &checkout)?,
            roles::check(&broken, &checkout, &crates)?,
            queues::check(&broken),
            projects::check(&broken),
        ]
        .concat();
        assert!(
            findings.iter().any(|finding| finding.contains(found)),
            "`{to}` is not noticed: {findings:#?}"
        );
    }
    Ok(())
}
