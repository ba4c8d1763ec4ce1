//! When repositories are looked at, and what was seen of their branches.
//!
//! `watch` carries the due time and nothing else: an update costs by the size of its item, also one that is refused.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use domain::ids::RepositoryName;
use domain::ports::{Answer, Repositories, Written};
use domain::time::Timestamp;
use domain::tips::Tips;

use crate::Store;
use crate::item::{DUE, Item, Key, body, number, text};

impl Repositories for Store {
    async fn watch(&self, repository: &RepositoryName, at: Timestamp) -> Answer<()> {
        let sent = self
            .update(repository)
            .update_expression("SET due_pk = :due, due_at = :at")
            .condition_expression("attribute_not_exists(due_at)")
            .expression_attribute_values(":due", text(DUE))
            .expression_attribute_values(":at", number(at.0))
            .send()
            .await;
        // In conflict with an earlier time it stays as it is.
        written(sent, || format!("`{repository}` cannot be watched")).map(|_| ())
    }

    async fn postpone(&self, repository: &RepositoryName, until: Timestamp) -> Answer<Written> {
        let sent = self
            .update(repository)
            .update_expression("SET due_at = :until")
            .condition_expression("attribute_exists(due_at)")
            .expression_attribute_values(":until", number(until.0))
            .send()
            .await;
        written(sent, || format!("the next look at `{repository}` cannot be put off"))
    }

    async fn unwatch(&self, repository: &RepositoryName) -> Answer<Written> {
        let sent = self
            .update(repository)
            .update_expression("REMOVE due_pk, due_at")
            .condition_expression("attribute_exists(due_at)")
            .send()
            .await;
        written(sent, || format!("the looks at `{repository}` cannot be ended"))
    }

    async fn tips(&self, repository: &RepositoryName) -> Answer<Tips> {
        let item =
            self.get(&tips_key(repository), || format!("tips of `{repository}` cannot be read")).await?;
        Ok(item.as_ref().map(body).transpose()?.unwrap_or_default())
    }

    async fn write_tips(&self, repository: &RepositoryName, tips: &Tips) -> Answer<Written> {
        let item = Item::new(&tips_key(repository), tips)?.next("version", tips.version);
        Ok(self.put(item, || format!("tips of `{repository}` cannot be written")).await?.into())
    }
}

impl Store {
    fn update(&self, repository: &RepositoryName) -> UpdateItemFluentBuilder {
        let key = Key::in_repository(repository, "watch");
        self.client.update_item().table_name(&self.table).set_key(Some(key.attributes()))
    }
}

fn tips_key(repository: &RepositoryName) -> Key {
    Key::in_repository(repository, "tips")
}

/// How a conditional update ended.
fn written<T>(sent: Result<T, SdkError<UpdateItemError>>, what: impl FnOnce() -> String) -> Answer<Written> {
    match sent {
        Ok(_) => Ok(Written::Yes),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Ok(Written::Conflict)
        }
        Err(error) => Err(aws::fault(what(), error)),
    }
}
