//! What a commit changes, from real git.

use domain::ports::{ChangedFile, Comparison, Differences as _};

use crate::world::{INSTALLATION, World};

#[tokio::test]
async fn the_files_of_all_commits_since_the_merge_base_are_read() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let first = world.commit("a file.txt", "one\n").await?;
    let second = world.commit("README.md", "two\n").await?;
    world.commit("README.md", "three\n").await?;
    let fourth = world.commit("b.txt", "four\n").await?;
    let seen = github.changes(&world.repository, INSTALLATION, &first, &fourth).await?;
    let seen = seen.expect("both are known");
    assert_eq!((seen.comparison, &seen.merge_base, seen.truncated), (Comparison::Ahead, &first, false));
    let patch = |lines: &str| Some(lines.to_owned());
    assert_eq!(
        seen.files,
        [
            ChangedFile { path: "README.md".into(), previous: None, patch: patch("@@ -0,0 +1 @@\n+three") },
            ChangedFile { path: "b.txt".into(), previous: None, patch: patch("@@ -0,0 +1 @@\n+four") },
        ]
    );

    // What the other one has meanwhile is no change of this one's.
    let beside = world.commit_beside(&second).await?;
    let seen = github.changes(&world.repository, INSTALLATION, &fourth, &beside).await?.expect("known");
    assert_eq!(
        (seen.comparison, seen.merge_base, seen.files),
        (Comparison::Diverged, second.clone(), vec![])
    );
    let seen = github.changes(&world.repository, INSTALLATION, &first, &first).await?.expect("known");
    assert_eq!((seen.comparison, seen.files.len()), (Comparison::Identical, 0));
    Ok(())
}

#[tokio::test]
async fn a_renamed_file_has_its_former_name_and_a_long_list_is_truncated() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let first = world.commit("old name.txt", "a text that is long enough to be found again\n").await?;
    let moved = world.rename("old name.txt", "new.txt").await?;
    let seen = github.changes(&world.repository, INSTALLATION, &first, &moved).await?.expect("known");
    let file = ChangedFile { path: "new.txt".into(), previous: Some("old name.txt".into()), patch: None };
    assert_eq!(seen.files, [file]);

    for (files, truncated) in [(299, false), (300, true), (301, true)] {
        let before = world.commit("count.txt", &format!("before {files}\n")).await?;
        let after = world.commit_many(files).await?;
        let seen = github.changes(&world.repository, INSTALLATION, &before, &after).await?.expect("known");
        assert_eq!((seen.files.len(), seen.truncated), (files.min(300), truncated));
    }
    Ok(())
}

#[tokio::test]
async fn commits_without_a_common_ancestor_and_unknown_ones_have_no_difference() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let first = world.commit("README.md", "one").await?;
    let unknown = "0123456789abcdef0123456789abcdef01234567".parse()?;
    let orphan = world.commit_orphan().await?;
    for (base, head) in [(&unknown, &first), (&first, &unknown), (&first, &orphan)] {
        assert_eq!(github.changes(&world.repository, INSTALLATION, base, head).await?, None);
    }
    Ok(())
}
