//! Heads and tasks: versions, transactions, order and the index of what is due.

use std::time::Duration;

use domain::ids::Stage;
use domain::ports::{Answer, Due, Runs, Written};
use domain::task::{State, Task};

use super::samples::{START, run, run_id, task, task_id};

/// A head is created once, read back as it was, and written only over the version before.
///
/// # Errors
/// When the store does not answer.
pub async fn heads_are_written_version_by_version(runs: &impl Runs) -> Answer<()> {
    let first = run(1);
    assert_eq!(runs.run(&first.id).await?, None);
    assert_eq!(runs.write_run(&first.swept(START)).await?, Written::Conflict, "nothing to follow");
    assert_eq!(runs.create_run(&first).await?, Written::Yes);
    assert_eq!(runs.create_run(&first).await?, Written::Conflict);
    assert_eq!(runs.run(&first.id).await?.as_ref(), Some(&first));

    let second = first.swept(START);
    assert_eq!(runs.write_run(&second).await?, Written::Yes);
    assert_eq!(runs.write_run(&second).await?, Written::Conflict, "the same version twice");
    assert_eq!(
        runs.write_run(&second.swept(START).swept(START)).await?,
        Written::Conflict,
        "a version skipped"
    );
    assert_eq!(runs.run(&first.id).await?, Some(second));
    assert_eq!(runs.run(&run_id(2)).await?, None);
    Ok(())
}

/// Tasks are created where absent, in any number; those that are there stay as they are.
///
/// # Errors
/// When the store does not answer.
pub async fn tasks_are_created_where_absent(runs: &impl Runs) -> Answer<()> {
    let id = run_id(1);
    let early = task(&id, "test/service-7");
    runs.create_tasks(std::slice::from_ref(&early)).await?;
    let begun = early.in_state(State::Starting { since: START }, START);
    assert_eq!(runs.write_task(&begun).await?, Written::Yes);

    let all: Vec<Task> = (0..230).map(|number| task(&id, &format!("test/service-{number}"))).collect();
    runs.create_tasks(&all).await?;
    runs.create_tasks(&all).await?;
    runs.create_tasks(&[]).await?;

    assert_eq!(runs.tasks(&id, None).await?.len(), all.len());
    let asked = ["test/service-229", "test/service-230", "test/service-7"].map(task_id);
    let (head, found) = runs.case(&id, &asked).await?;
    assert_eq!(head, None, "tasks without a head");
    assert_eq!(found, [all[229].clone(), begun], "in the order asked for; what was there stays");
    Ok(())
}

/// Tasks come in the order of their ids, all or of one stage, and of no other run.
///
/// # Errors
/// When the store does not answer.
pub async fn tasks_come_in_their_order(runs: &impl Runs) -> Answer<()> {
    let id = run_id(1);
    let ids = [
        "test/api_gateway",
        "test/authentication",
        "test/+checks",
        "test/+integration",
        "build/api_gateway",
        "deploy/api_gateway@development",
        "verify/api_gateway@development",
    ];
    let mut tasks: Vec<Task> = ids.iter().rev().map(|text| task(&id, text)).collect();
    runs.create_tasks(&tasks).await?;
    runs.create_tasks(&[task(&run_id(2), "test/other")]).await?;
    tasks.reverse();

    assert_eq!(runs.tasks(&id, None).await?, tasks);
    assert_eq!(runs.tasks(&id, Some(Stage::Test)).await?, tasks[..4]);
    assert_eq!(runs.tasks(&id, Some(Stage::Deploy)).await?, tasks[5..6]);
    assert_eq!(runs.tasks(&id, Some(Stage::Publish)).await?, []);
    assert_eq!(runs.tasks(&run_id(3), None).await?, []);
    Ok(())
}

/// A task and its head are written both or neither.
///
/// # Errors
/// When the store does not answer.
pub async fn both_are_written_or_neither(runs: &impl Runs) -> Answer<()> {
    let head = run(1);
    let first = task(&head.id, "test/authentication");
    assert_eq!(runs.create_run(&head).await?, Written::Yes);
    runs.create_tasks(std::slice::from_ref(&first)).await?;

    let (begun, swept) = (first.in_state(State::Starting { since: START }, START), head.swept(START));
    assert_eq!(runs.write_both(&begun, &swept).await?, Written::Yes);
    let begun_again = begun.failed_once();
    assert_eq!(runs.write_both(&begun_again, &swept).await?, Written::Conflict, "the head is old");
    assert_eq!(runs.write_both(&begun, &swept.swept(START)).await?, Written::Conflict, "the task is old");

    assert_eq!(runs.case(&head.id, &[first.id]).await?.1, [begun]);
    assert_eq!(runs.run(&head.id).await?, Some(swept));
    Ok(())
}

/// Of several that write the same version at the same time exactly one succeeds.
///
/// # Errors
/// When the store does not answer.
pub async fn one_of_many_writers_succeeds(runs: &impl Runs) -> Answer<()> {
    let head = run(1);
    let first = task(&head.id, "test/authentication");
    assert_eq!(runs.create_run(&head).await?, Written::Yes);
    runs.create_tasks(std::slice::from_ref(&first)).await?;
    let (next_task, next_head) = (first.failed_once(), head.swept(START));

    let answers = tokio::join!(
        runs.write_both(&next_task, &next_head),
        runs.write_both(&next_task, &next_head),
        runs.write_both(&next_task, &next_head),
        runs.write_run(&next_head),
    );

    let answers = [answers.0?, answers.1?, answers.2?, answers.3?];
    assert_eq!(answers.iter().filter(|written| **written == Written::Yes).count(), 1, "{answers:?}");
    Ok(())
}

/// Due runs are those whose time has passed, the longest due first; a run without a due time is never among them.
///
/// # Errors
/// When the store does not answer.
pub async fn due_runs_come_longest_due_first(runs: &impl Runs) -> Answer<()> {
    let after = |seconds| START.after(Duration::from_secs(seconds));
    for (number, seconds) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        let mut head = run(number);
        head.due = Some(after(seconds));
        assert_eq!(runs.create_run(&head).await?, Written::Yes);
    }
    let told = runs.run(&run_id(3)).await?.map(|head| head.at_rest());
    assert_eq!(runs.write_run(&told.expect("it was just created")).await?, Written::Yes);

    let longest = [2, 1].map(|number| Due::Run(run_id(number)));
    assert_eq!(runs.due(after(10), 10).await?, [], "due now is not yet past");
    assert_eq!(runs.due(after(40), 10).await?, longest);
    assert_eq!(runs.due(after(50), 2).await?, longest);
    assert_eq!(runs.due(after(50), 0).await?, []);
    Ok(())
}
