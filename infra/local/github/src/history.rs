//! Commits and changed files, read from git and written as GitHub writes them.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::git::{Git, lossy};

/// One commit with the paths it changed against its first parent.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) sha: String,
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: Person,
    pub(crate) committer: Person,
    pub(crate) message: String,
    changes: Vec<(char, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) date: String,
}

// Control characters part the fields: no name, message or path that git accepts here carries them.
const FORMAT: &str = "--format=%x01%H%x02%T%x02%P%x02%an%x02%ae%x02%aI%x02%cn%x02%ce%x02%cI%x02%B%x03";

/// The commits a `git log` of these arguments shows, newest first.
pub(crate) async fn log(git: &Git, arguments: &[&str]) -> Result<Vec<Commit>> {
    let fixed = ["log", "-z", "--name-status", "--no-renames", "--diff-merges=first-parent", FORMAT];
    // A revision is never taken for a path.
    let end: &[&str] = if arguments.contains(&"--") { &[] } else { &["--"] };
    let output = lossy(&git.bytes(&[&fixed[..], arguments, end].concat()).await?);
    output.split('\u{1}').skip(1).map(|entry| parse(entry).context("read git's log")).collect()
}

/// One commit by its SHA.
pub(crate) async fn one(git: &Git, sha: &str) -> Result<Commit> {
    log(git, &["-1", sha]).await?.pop().context("git shows no commit")
}

fn parse(entry: &str) -> Option<Commit> {
    let (header, files) = entry.split_once('\u{3}')?;
    let fields: Vec<&str> = header.splitn(10, '\u{2}').collect();
    let [
        sha,
        tree,
        parents,
        author,
        author_mail,
        author_date,
        committer,
        committer_mail,
        commit_date,
        message,
    ] = fields.try_into().ok()?;
    let person = |name: &str, email: &str, date: &str| Person {
        name: name.to_owned(),
        email: email.to_owned(),
        date: date.to_owned(),
    };
    let tokens: Vec<&str> = files.split('\0').map(|part| part.trim_start_matches('\n')).collect();
    let tokens: Vec<&str> = tokens.into_iter().filter(|part| !part.is_empty()).collect();
    let changes =
        tokens.chunks_exact(2).filter_map(|pair| Some((pair[0].chars().next()?, pair[1].to_owned())));
    Some(Commit {
        sha: sha.to_owned(),
        tree: tree.to_owned(),
        parents: parents.split_whitespace().map(str::to_owned).collect(),
        author: person(author, author_mail, author_date),
        committer: person(committer, committer_mail, commit_date),
        message: message.trim_end().to_owned(),
        changes: changes.collect(),
    })
}

impl Commit {
    /// The form of a push event's `commits`.
    pub(crate) fn in_push(&self, html_url: &str) -> Value {
        let paths = |wanted: &[char]| -> Vec<&str> {
            let kept = self.changes.iter().filter(|(status, _)| wanted.contains(status));
            kept.map(|(_, path)| path.as_str()).collect()
        };
        json!({
            "id": self.sha,
            "tree_id": self.tree,
            "distinct": true,
            "message": self.message,
            "timestamp": self.committer.date,
            "url": format!("{html_url}/commit/{}", self.sha),
            "author": self.author.in_push(),
            "committer": self.committer.in_push(),
            "added": paths(&['A']),
            "removed": paths(&['D']),
            "modified": paths(&['M', 'T']),
        })
    }

    /// The short form of a check suite's and a merge group's `head_commit`.
    pub(crate) fn in_suite(&self) -> Value {
        let person = |person: &Person| json!({ "name": person.name, "email": person.email });
        json!({
            "id": self.sha,
            "tree_id": self.tree,
            "message": self.message,
            "timestamp": self.committer.date,
            "author": person(&self.author),
            "committer": person(&self.committer),
        })
    }

    /// The form of the REST API, without files.
    pub(crate) fn in_rest(&self, api_url: &str, html_url: &str) -> Value {
        let parents = self.parents.iter().map(|sha| {
            json!({ "sha": sha, "url": format!("{api_url}/commits/{sha}"), "html_url": format!("{html_url}/commit/{sha}") })
        });
        json!({
            "sha": self.sha,
            "node_id": crate::state::node_id("Commit", &self.sha),
            "commit": {
                "author": self.author.in_rest(),
                "committer": self.committer.in_rest(),
                "message": self.message,
                "tree": { "sha": self.tree, "url": format!("{api_url}/git/trees/{}", self.tree) },
                "url": format!("{api_url}/git/commits/{}", self.sha),
                "comment_count": 0,
                "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null },
            },
            "url": format!("{api_url}/commits/{}", self.sha),
            "html_url": format!("{html_url}/commit/{}", self.sha),
            "author": null,
            "committer": null,
            "parents": parents.collect::<Vec<_>>(),
        })
    }
}

impl Person {
    fn in_push(&self) -> Value {
        json!({ "name": self.name, "email": self.email, "date": self.date, "username": self.name })
    }

    fn in_rest(&self) -> Value {
        let date: Option<jiff::Timestamp> = self.date.parse().ok();
        json!({ "name": self.name, "email": self.email, "date": date.map(|date| date.to_string()) })
    }
}

/// The files that differ between two trees, renames found, in the REST form and in path order.
pub(crate) async fn files(
    git: &Git,
    base: Option<&str>,
    head: &str,
    urls: (&str, &str),
) -> Result<Vec<Value>> {
    let shape = ["-r", "-z", "-M", "--raw", "--no-abbrev", "--numstat"];
    let output = match base {
        Some(base) => git.bytes(&[&["diff-tree"], &shape[..], &[base, head]].concat()).await?,
        None => {
            git.bytes(&[&["diff-tree", "--root", "--no-commit-id"], &shape[..], &[head]].concat()).await?
        }
    };
    let text = lossy(&output);
    let mut tokens = text.split('\0').filter(|token| !token.is_empty()).peekable();
    let mut found = Vec::new();
    while let Some(raw) = tokens.next_if(|token| token.starts_with(':')) {
        let fields: Vec<&str> = raw.split(' ').collect();
        let letter = fields.get(4).copied().unwrap_or("M");
        // A removed file is shown by the blob it was.
        let blob = fields.get(if letter == "D" { 2 } else { 3 }).copied().unwrap_or_default();
        let path = tokens.next().context("a path follows its status")?;
        let (previous, path) = if letter.starts_with(['R', 'C']) {
            (Some(path), tokens.next().context("a new path follows the old one")?)
        } else {
            (None, path)
        };
        found.push((status(letter), blob, path, previous));
    }
    let mut counts = std::collections::HashMap::new();
    while let Some(line) = tokens.next() {
        let mut fields = line.splitn(3, '\t');
        let added: u64 = fields.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let deleted: u64 = fields.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let mut path = fields.next().unwrap_or_default();
        if path.is_empty() {
            tokens.next();
            path = tokens.next().unwrap_or_default();
        }
        counts.insert(path, (added, deleted));
    }
    let (api_url, html_url) = urls;
    let entries = found.into_iter().map(|(status, blob, path, previous)| {
        let (added, deleted) = counts.get(path).copied().unwrap_or_default();
        let mut file = json!({
            "sha": blob,
            "filename": path,
            "status": status,
            "additions": added,
            "deletions": deleted,
            "changes": added + deleted,
            "blob_url": format!("{html_url}/blob/{head}/{path}"),
            "raw_url": format!("{html_url}/raw/{head}/{path}"),
            "contents_url": format!("{api_url}/contents/{path}?ref={head}"),
        });
        if let Some(previous) = previous {
            file["previous_filename"] = json!(previous);
        }
        file
    });
    Ok(entries.collect())
}

fn status(letter: &str) -> &'static str {
    match letter.chars().next() {
        Some('A') => "added",
        Some('D') => "removed",
        Some('R') => "renamed",
        Some('C') => "copied",
        Some('T') => "changed",
        _ => "modified",
    }
}
