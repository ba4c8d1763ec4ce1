//! Fence, lock and releases of environments; none of them expires.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::ids::{EnvironmentName, RepositoryName, RunId, ServiceName};
use domain::ports::{Answer, Environments, Fault, Fence, Locking, Release, Written};
use domain::run::Ticket;

use crate::Store;
use crate::item::{Attributes, Item, Key, body, number, number_of, text, text_of};

impl Environments for Store {
    async fn fence(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
    ) -> Answer<Option<Fence>> {
        let key = Key::in_environment(repository, environment, "fence");
        let item = self.get(&key, || format!("the fence of `{environment}` cannot be read")).await?;
        item.as_ref().map(body).transpose()
    }

    async fn draw(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        fence: &Fence,
    ) -> Answer<Written> {
        let key = Key::in_environment(repository, environment, "fence");
        let item = Item::new(&key, fence)?.next("number", fence.number);
        Ok(self.put(item, || format!("no number can be drawn in `{environment}`")).await?.into())
    }

    async fn lock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
    ) -> Answer<Locking> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(lock_key(repository, environment).attributes()))
            .update_expression("SET #holder = :run, #taken = :number, #round = :round")
            .condition_expression(
                "(#holder = :run AND #round <= :round) OR (attribute_not_exists(#holder) \
                 AND (attribute_not_exists(#taken) OR #taken < :number \
                 OR (#taken = :number AND #round < :round)))",
            )
            .expression_attribute_names("#holder", "holder")
            .expression_attribute_names("#taken", "taken")
            .expression_attribute_names("#round", "round")
            .expression_attribute_values(":run", text(run.to_string()))
            .expression_attribute_values(":number", number(ticket.number))
            .expression_attribute_values(":round", number(ticket.round.into()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(Locking::Held) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                refused(failed.item(), environment, run, ticket)
            }
            _ => Err(aws::fault(format!("the lock of `{environment}` cannot be taken"), error)),
        }
    }

    async fn unlock(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        run: &RunId,
        ticket: Ticket,
    ) -> Answer<()> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(lock_key(repository, environment).attributes()))
            // `taken` stays: an older run must not take the lock after this one.
            .update_expression("REMOVE #holder")
            .condition_expression("#holder = :run AND #round <= :round")
            .expression_attribute_names("#holder", "holder")
            .expression_attribute_names("#round", "round")
            .expression_attribute_values(":run", text(run.to_string()))
            .expression_attribute_values(":round", number(ticket.round.into()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(aws::fault(format!("the lock of `{environment}` cannot be freed"), error)),
        }
    }

    async fn set_current(&self, environment: &EnvironmentName, release: &Release) -> Answer<Written> {
        self.set_release(environment, release, "current").await
    }

    async fn set_verified(&self, environment: &EnvironmentName, release: &Release) -> Answer<()> {
        // In conflict with a higher place the older release is simply not recorded.
        let (Written::Yes | Written::Conflict) = self.set_release(environment, release, "verified").await?;
        Ok(())
    }

    async fn releases(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
        service: &ServiceName,
    ) -> Answer<(Option<Release>, Option<Release>)> {
        let what = || format!("the releases of `{service}` in `{environment}` cannot be read");
        let key = |kind| Key::in_environment(repository, environment, format!("{kind}#{service}"));
        let found = self.get_all(&[key("current"), key("verified")], what).await?;
        let mut releases = found.iter().map(|item| item.as_ref().map(body::<Release>).transpose());
        Ok((releases.next().transpose()?.flatten(), releases.next().transpose()?.flatten()))
    }
}

impl Store {
    async fn set_release(
        &self,
        environment: &EnvironmentName,
        release: &Release,
        kind: &str,
    ) -> Answer<Written> {
        let service = &release.service;
        let key = Key::in_environment(&release.run.repository, environment, format!("{kind}#{service}"));
        let item = Item::new(&key, release)?.not_below("place", place(release));
        let what = || format!("the {kind} release of `{service}` in `{environment}` cannot be written");
        Ok(self.put(item, what).await?.into())
    }
}

/// Number and turn as one number: a deploy is attempted less often than 2^18 times.
fn place(release: &Release) -> u64 {
    (release.fence << 20) | u64::from(release.turn)
}

/// Who was in the way of a lock. A higher number overtakes even where the lock is free, and so does the same ticket
/// where it was freed, and the next round of the same run.
fn refused(
    item: Option<&Attributes>,
    environment: &EnvironmentName,
    run: &RunId,
    ticket: Ticket,
) -> Answer<Locking> {
    let item = item.ok_or_else(|| {
        Fault::retry(format!("the lock of `{environment}` cannot be taken"), "it is not said who has it")
    })?;
    let taken = number_of(item, "taken")?;
    let own = item.contains_key("holder") && text_of(item, "holder")? == run.to_string();
    if taken > ticket.number || own || !item.contains_key("holder") {
        return Ok(Locking::Overtaken { by: taken });
    }
    let holder = text_of(item, "holder")?;
    let holder = holder
        .parse()
        .map_err(|error| aws::lasting(format!("the lock of `{environment}` names no run"), error))?;
    Ok(Locking::HeldBy(holder))
}

fn lock_key(repository: &RepositoryName, environment: &EnvironmentName) -> Key {
    Key::in_environment(repository, environment, "lock")
}
