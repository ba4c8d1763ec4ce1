//! Packs messages into the batches that SQS takes.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use domain::message::Outgoing;
use domain::ports::Answer;

/// The most messages of a batch.
const MESSAGES: usize = 10;
/// The most bytes of a batch: SQS's older limit, which every region and stand-in takes.
const BYTES: usize = 256 * 1024;
/// SQS's longest delay in seconds.
const LONGEST_DELAY: u64 = 900;

/// The messages in batches, in their order.
pub(crate) fn pack(messages: &[&Outgoing]) -> Answer<Vec<Vec<SendMessageBatchRequestEntry>>> {
    let mut batches: Vec<Vec<_>> = Vec::new();
    let mut room = 0;
    for outgoing in messages {
        let body = serde_json::to_string(&outgoing.message)
            .map_err(|error| aws::lasting("a message cannot be written as JSON", error))?;
        let size = body.len();
        let full = batches.last().is_none_or(|batch| batch.len() == MESSAGES || size > room);
        if full {
            batches.push(Vec::new());
            room = BYTES;
        }
        room = room.saturating_sub(size);
        if let Some(batch) = batches.last_mut() {
            batch.push(entry(batch.len(), body, outgoing)?);
        }
    }
    Ok(batches)
}

fn entry(number: usize, body: String, outgoing: &Outgoing) -> Answer<SendMessageBatchRequestEntry> {
    // Rounded up: a timer must not come early.
    let seconds = outgoing.delay.as_millis().div_ceil(1000).min(u128::from(LONGEST_DELAY));
    SendMessageBatchRequestEntry::builder()
        .id(number.to_string())
        .message_body(body)
        .delay_seconds(i32::try_from(seconds).unwrap_or_default())
        .build()
        .map_err(|error| aws::lasting("a message cannot be sent", error))
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::time::Duration;

    use domain::ids::RunId;
    use domain::message::{Message, PlanRequest};

    use super::*;

    fn notify(delay: Duration) -> Result<Outgoing, Box<dyn Error>> {
        let run: RunId = "owner.repository.0123456789abcdef0123456789abcdef01234567".parse()?;
        Ok(Outgoing { message: Message::Notify { run }, delay })
    }

    fn plan(title: usize) -> Result<Outgoing, Box<dyn Error>> {
        Ok(Outgoing::now(Message::Plan(PlanRequest {
            delivery: "1".parse()?,
            repository: "owner/repository".parse()?,
            installation: 1,
            sha: "0123456789abcdef0123456789abcdef01234567".parse()?,
            before: None,
            branch: "develop".to_owned(),
            fork: None,
            pull_request: None,
            sender: "someone".to_owned(),
            title: "x".repeat(title),
            tag: false,
            forced: false,
            base: None,
            draft: false,
            skip: None,
            admitted: None,
        })))
    }

    fn sizes(messages: &[Outgoing]) -> Result<Vec<usize>, Box<dyn Error>> {
        let messages: Vec<&Outgoing> = messages.iter().collect();
        Ok(pack(&messages)?.iter().map(Vec::len).collect())
    }

    #[test]
    fn batches_keep_to_ten_messages_and_to_the_size() -> Result<(), Box<dyn Error>> {
        let small = (0..23).map(|_| notify(Duration::ZERO)).collect::<Result<Vec<_>, _>>()?;
        let large = (0..3).map(|_| plan(100_000)).collect::<Result<Vec<_>, _>>()?;
        assert_eq!(sizes(&[])?, [0; 0]);
        assert_eq!(sizes(&small)?, [10, 10, 3]);
        assert_eq!(sizes(&large)?, [2, 1]);
        Ok(())
    }

    #[test]
    fn delays_are_whole_seconds_and_at_most_fifteen_minutes() -> Result<(), Box<dyn Error>> {
        for (delay, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (900_000, 900), (10_000_000, 900)] {
            let outgoing = notify(Duration::from_millis(delay))?;
            let batches = pack(&[&outgoing])?;
            assert_eq!(batches[0][0].delay_seconds, Some(seconds), "{delay}");
        }
        Ok(())
    }
}
