//! What of a zip counts, and what one that lies cannot do.

use std::io::Write as _;

use domain::ports::Advice;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

/// A commit whose zip is written by the closure.
fn a_commit(write: impl FnOnce(&mut ZipWriter<File>)) -> Commit {
    let commit = Commit::scratch("test");
    let mut zip = ZipWriter::new(File::create(commit.path()).expect("a scratch file"));
    write(&mut zip);
    zip.finish().expect("a zip");
    commit
}

fn file(zip: &mut ZipWriter<File>, path: &str, mode: u32, content: &[u8]) {
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(mode);
    zip.start_file(path, options).expect("an entry");
    zip.write_all(content).expect("its content");
}

#[test]
fn files_are_known_by_content_and_kind() {
    let commit = a_commit(|zip| {
        zip.add_directory("top-1/", SimpleFileOptions::default()).expect("a folder");
        file(zip, "top-1/a.py", 0o644, b"x");
        file(zip, "top-1/b/run.sh", 0o755, b"x");
        file(zip, "top-1/b/same.py", 0o600, b"x");
        file(zip, "top-1/empty", 0o644, b"");
        file(zip, "top-1/large", 0o644, &vec![7; 3 * PIECE + 1]);
        zip.add_symlink("top-1/link", "x", SimpleFileOptions::default()).expect("a link");
        file(zip, "beside-the-folder", 0o644, b"x");
    });
    let contents = commit.contents().expect("contents");
    for (path, expected) in [
        ("a.py", Some((EntryKind::File, &b"x"[..]))),
        ("b/run.sh", Some((EntryKind::Executable, b"x"))),
        ("b/same.py", Some((EntryKind::File, b"x"))),
        ("empty", Some((EntryKind::File, b""))),
        ("large", Some((EntryKind::File, &vec![7; 3 * PIECE + 1]))),
        ("link", Some((EntryKind::Link, b"x"))),
        ("b", None),
        ("", None),
        ("beside-the-folder", None),
    ] {
        let expected = expected.map(|(kind, content)| ContentHash::of(kind, content));
        assert_eq!(contents.get(path), expected.as_ref(), "{path}");
    }
    assert_eq!(contents.len(), 6);
    for path in ["a.py", "b/run.sh", "link"] {
        assert!(commit.tree().expect("a tree").has_file(path), "the tree knows the same files: {path}");
    }
}

#[test]
fn the_top_level_folder_does_not_count() {
    let of = |folder: &str| {
        a_commit(|zip| file(zip, &format!("{folder}/a.py"), 0o644, b"x")).contents().expect("contents")
    };
    assert_eq!(of("bots-0a1b2c3"), of("bots-9f8e7d6"));
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let commit = a_commit(|zip| {
        file(zip, "top/a", 0o644, &vec![0; 1000]);
        file(zip, "top/b", 0o644, &vec![0; 1000]);
    });
    assert_eq!(commit.contents_within(2000).expect("exactly as much as allowed").len(), 2);
    let fault = commit.contents_within(1999).expect_err("one byte more than allowed");
    assert_eq!(fault.advice, Advice::Reject);
    assert!(fault.what.contains("more than the 1999 bytes"), "{fault}");
}

#[test]
fn a_size_that_lies_lets_nothing_through() {
    let commit = a_commit(|zip| file(zip, "top/a", 0o644, &vec![0; 100_000]));
    let mut bytes = std::fs::read(commit.path()).expect("the zip");
    let size = 100_000_u32.to_le_bytes();
    let mut places = 0;
    while let Some(place) = bytes.windows(4).position(|four| four == size) {
        bytes[place..place + 4].copy_from_slice(&1_u32.to_le_bytes());
        places += 1;
    }
    assert!(places >= 1, "the size stands in the zip");
    std::fs::write(commit.path(), bytes).expect("the zip");
    assert!(commit.contents_within(50_000).is_err(), "the claim of one byte is not believed");
}

#[test]
fn what_is_no_zip_may_come_right_another_time() {
    let commit = Commit::scratch("test");
    std::fs::write(commit.path(), b"no zip").expect("a scratch file");
    assert_eq!(commit.contents().expect_err("no zip").advice, Advice::Retry(None));
}
