//! The store passes the contract of its ports against a local DynamoDB, each story on a table of its own.

use std::error::Error;

use store::Store;
use testkit::{aws, contract};

/// A store on an empty table.
async fn store() -> Result<Store, Box<dyn Error>> {
    let config = aws::config(local_ministack::shared().endpoint());
    let table = aws::unique("contract");
    aws::create_table(&config, &table).await?;
    Ok(Store::new(&config, table))
}

/// Makes a test of each story.
macro_rules! stories {
    ($($suite:ident: $($story:ident),+;)+) => {$($(
        #[tokio::test]
        async fn $story() -> Result<(), Box<dyn Error>> {
            Ok(contract::$suite::$story(&store().await?).await?)
        }
    )+)+};
}

stories! {
    runs:
        heads_are_written_version_by_version,
        tasks_are_created_where_absent,
        tasks_come_in_their_order,
        both_are_written_or_neither,
        one_of_many_writers_succeeds,
        due_runs_come_longest_due_first;
    deliveries:
        a_delivery_is_recorded_once,
        a_body_is_received_once,
        one_of_many_brings_the_body,
        notes_only_go_forwards,
        an_unknown_delivery_cannot_be_noted;
    environments:
        numbers_only_grow,
        a_lock_has_one_holder,
        a_higher_number_overtakes,
        who_waits_has_its_turn_or_is_told,
        an_older_release_replaces_nothing;
    lines:
        fronts_are_written_version_by_version,
        greens_are_found_by_their_key;
    notice_book:
        a_book_is_written_version_by_version,
        a_picture_holds_head_tasks_and_book;
    repositories:
        a_repository_is_due_while_it_is_watched,
        runs_and_repositories_are_due_together,
        tips_are_written_version_by_version;
    scans:
        who_waits_is_found_by_the_image;
}
