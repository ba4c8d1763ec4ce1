//! What is refused, each with the sentence that tells the way out.

use super::*;

#[test]
fn what_cannot_be_run_again_is_told_with_the_way_out() {
    let under_way = |task: &str| format!("refused: `{}` is under way; ask again when it has ended", id(task));
    let not_begun = |task: &str| {
        format!("refused: `{}` has not begun; re-run the task before it that has not passed", id(task))
    };
    let run_under_way = |task: &str| {
        format!(
            "refused: the run is under way; `{}` has passed in it and can be run again once the run has ended",
            id(task)
        )
    };
    let one_at_a_time = "refused: `deploy/o@development` is being run again at this moment; ask again when it has ended (where it is stuck: redrive its dead letter, or run it again first)";
    let went_back =
        "refused: the service went back to its last verified release; re-run `deploy/a@development` instead";
    check(&[
        ("active 1+0 0+0 0+0", "test=pending", "test", &under_way("test")),
        ("active 1+0 0+0 0+0", "test=starting", "test", &under_way("test")),
        ("active 1+0 0+0 0+0", "test=running", "test", &under_way("test")),
        ("active 1+1 0+0 0+0", "test=passing-on-failed", "test", &under_way("test")),
        ("finished 2+0 2+0 2+0 -test", "test=passed/passing-on-passed", "test", &under_way("test")),
        ("finished 1+1 0+0 0+0", "build=pending", "build", &not_begun("build")),
        ("finished 2+0 1+1 0+0", "build=failed publish=pending", "publish", &not_begun("publish")),
        // Whoever reads what it makes is at work, or is about to be.
        ("active 2+0 1+0 0+0", "publish=running", "build", &under_way("publish")),
        ("active 2+0 1+0 0+0", "publish=pending", "build", &under_way("publish")),
        ("active 2+0 2+0 1+0", "verify=running", "deploy", &under_way("verify")),
        ("active 2+0 2+0 1+0", "verify=passing-on-back", "deploy", &under_way("verify")),
        (
            "active 2+0 2+0 1+0",
            "verify=back back-deploy=pending back-verify=pending",
            "deploy",
            &under_way("back-deploy"),
        ),
        (
            "active 2+0 2+0 1+0",
            "verify=back back-deploy=running back-verify=pending",
            "verify",
            &under_way("back-deploy"),
        ),
        (
            "active 2+0 2+0 1+0",
            "verify=back back-deploy=passed back-verify=pending",
            "deploy",
            &under_way("back-verify"),
        ),
        ("finished 2+0 2+0 2+0 -publish", "publish=passed/running", "deploy", &under_way("publish")),
        // A phase that opens while its input is being made anew would find none.
        ("active 2+0 1+0 0+0", "deploy=pending verify=pending", "publish", &run_under_way("publish")),
        ("active 2+0 1+0 0+0", "deploy=pending verify=pending", "build", &run_under_way("build")),
        ("active 2+0 2+0 1+0", "", "deploy", &run_under_way("deploy")),
        ("active 2+0 2+0 1+0", "", "verify", &run_under_way("verify")),
        ("active 2+0 2+0 1+0", "", "build cascade", &run_under_way("build")),
        // One lock, one rollout.
        ("finished 2+0 2+0 2+0 -o-deploy", "o-deploy=passed/running", "deploy", one_at_a_time),
        ("finished 2+0 2+0 1+1 -o-deploy", "verify=failed o-deploy=passed/running", "deploy", one_at_a_time),
        ("finished 2+0 2+0 2+0 -o-deploy", "o-deploy=passed/running", "test cascade", one_at_a_time),
        (
            "finished 2+0 2+0 2+0",
            "publish=passed/failed",
            "deploy",
            "refused: `publish/a`, whose result it takes, did not pass the last time; re-run `publish/a` first",
        ),
        ("finished 2+0 2+0 1+1", "verify=back back-deploy=passed back-verify=passed", "verify", went_back),
        (
            "finished 2+0 2+0 2+0",
            "verify=passed/back back-deploy=passed back-verify=passed",
            "verify",
            went_back,
        ),
        (
            "finished 2+0 2+0 1+1",
            "verify=back back-deploy=failed back-verify=pending",
            "back-deploy",
            "refused: a way back is not run again; re-run `deploy/a@development`, or redrive its dead letter where it is stuck",
        ),
    ]);
}

#[test]
fn a_task_that_is_not_there_is_told_the_nearest_and_the_known() {
    let head = head("finished 2+0 2+0 2+0");
    let tasks = tasks(&head, "");
    let ask = |head: &Run, tasks: &[Task], task: &str| {
        let asked =
            Rerun { run: head.id.clone(), task: name(task), request: None, cascade: false, dry_run: false };
        decide(head, tasks, &asked, NOW).expect_err("there is no such task").to_string()
    };
    let known = "its tasks: `test/a`, `build/a`, `publish/a`, `deploy/a@development`, `verify/a@development`";
    let run = &head.id;
    assert_eq!(
        ask(&head, &tasks, "deploy/a@develpment"),
        format!(
            "run `{run}` has no task `deploy/a@develpment`; did you mean `deploy/a@development`? {known}"
        )
    );
    assert_eq!(ask(&head, &tasks, "test/zebra"), format!("run `{run}` has no task `test/zebra`; {known}"));
    // A fork's run has no tasks, so that nobody can have its code run by a message.
    let untrusted = Run { id: crate::ids::RunId { trust: Trust::Untrusted, ..head.id.clone() }, ..head };
    assert_eq!(
        ask(&untrusted, &[], "test/a"),
        format!(
            "run `{run}.untrusted` has no task `test/a`; its tasks: none, so that nothing of it can be run again"
        )
    );
}
