//! The notify function.

use domain::message::QueueName;
use domain::ports::Secrets as _;
use domain::time::Timestamp;
use github::{Credentials, GitHub};
use lambda::{SqsEvent, Variables};
use notices::{Mailer, Slack};
use queue::{Queue, Redelivery};
use secrets::Secrets;
use slipway_notify::Notifier;
use store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::telemetry();
    let mut variables = Variables::default();
    let (table, own_queue) = (variables.text("TABLE_NAME"), variables.text("NOTIFY_QUEUE_URL"));
    let dead_letters = variables.text("DEAD_LETTERS_URL");
    let (api, github_id) = (variables.text("GITHUB_API_URL"), variables.text("GITHUB_SECRET_ID"));
    let (slack_api, slack_id) = (variables.text("SLACK_API_URL"), variables.text("SLACK_SECRET_ID"));
    variables.complete()?;

    let aws = lambda::aws().await;
    let secrets = Secrets::new(&aws);
    let credentials = Credentials::parse(&secrets.secret(&github_id).await?)?;
    let notifier = Notifier {
        store: Store::new(&aws, table),
        queue: Queue::new(&aws, [(QueueName::Notify, own_queue.clone())].into()),
        github: GitHub::new(&api, credentials.app_id, &credentials.private_key)?,
        web: Some(github::web_address(&api)),
        chat: Slack::new(&slack_api, notices::slack_token(&secrets.secret(&slack_id).await?)?)?,
        post: Variables::optional("MAIL_SENDER").map(|sender| Mailer::new(&aws, sender)),
    };
    let redelivery = Redelivery::new(&aws, own_queue, dead_letters);
    let handle = async |record: lambda::Record| {
        notifier.handle(&record.body, &record.message_id, Timestamp::now()).await
    };
    lambda::run(async |event: SqsEvent| Ok(lambda::each(event, &redelivery, handle).await)).await
}
