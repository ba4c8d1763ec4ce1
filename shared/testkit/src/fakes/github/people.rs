//! Who may do what, pull requests, and the comments below them.

use domain::ids::RepositoryName;
use domain::ports::{Answer, Comments, Fault, People, Permission, Pull, Reaction};

use super::super::wire::Guard;
use super::MemoryGitHub;

/// A comment on a pull request as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullComment {
    /// GitHub's id.
    pub id: u64,
    /// The pull request's number.
    pub pull: u64,
    /// The mark of a comment of the App's own; a person's has none.
    pub mark: Option<String>,
    /// What it says now.
    pub text: String,
    /// How often it was edited.
    pub edits: u32,
    /// The App's signs below it, each once.
    pub reactions: Vec<Reaction>,
}

impl MemoryGitHub {
    /// What a person may do from now on; whoever is not named may do nothing.
    pub fn allow(&self, login: &str, permission: Permission) {
        self.state.with(|state| state.permissions.insert(login.to_owned(), permission));
    }

    /// A pull request as it is from now on, known by its number.
    pub fn show_pull(&self, pull: Pull) {
        self.state.with(|state| state.pulls.insert(pull.number, pull));
    }

    /// A person's comment; answers its id.
    pub fn say(&self, pull: u64, text: &str) -> u64 {
        self.state.with(|state| state.comment(pull, None, text))
    }

    /// Every comment in the order of creation.
    pub fn comments(&self) -> Vec<PullComment> {
        self.state.with(|state| state.comments.clone())
    }

    /// Somebody deletes a comment.
    pub fn delete_comment(&self, id: u64) {
        self.state.with(|state| state.comments.retain(|comment| comment.id != id));
    }
}

impl super::State {
    fn comment(&mut self, pull: u64, mark: Option<&str>, text: &str) -> u64 {
        let id = self.comments.last().map_or(1, |last| last.id + 1);
        let (mark, text) = (mark.map(str::to_owned), text.to_owned());
        self.comments.push(PullComment { id, pull, mark, text, edits: 0, reactions: Vec::new() });
        id
    }

    fn edit(&mut self, id: u64, text: &str) -> bool {
        let found = self.comments.iter_mut().find(|comment| comment.id == id);
        let is_there = found.is_some();
        if let Some(comment) = found {
            (comment.text, comment.edits) = (text.to_owned(), comment.edits + 1);
        }
        is_there
    }
}

impl People for MemoryGitHub {
    async fn permission(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        login: &str,
    ) -> Answer<Permission> {
        let read =
            || self.state.with(|state| state.permissions.get(login).copied().unwrap_or(Permission::None));
        self.wire.call("people.permission", || Ok(read())).await
    }

    async fn pull(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        number: u64,
    ) -> Answer<Option<Pull>> {
        let read = || self.state.with(|state| state.pulls.get(&number).cloned());
        self.wire.call("people.pull", || Ok(read())).await
    }

    async fn pulls_of(
        &self,
        repository: &RepositoryName,
        _installation: u64,
        branch: &str,
    ) -> Answer<Vec<Pull>> {
        let offers = |pull: &&Pull| {
            pull.open && pull.branch == branch && pull.head_repository.as_ref() == Some(repository)
        };
        let read = || self.state.with(|state| state.pulls.values().filter(offers).cloned().collect());
        self.wire.call("people.pulls_of", || Ok(read())).await
    }

    async fn react(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        comment: u64,
        reaction: Reaction,
    ) -> Answer<()> {
        let react = || {
            self.state.with(|state| {
                let found = state.comments.iter_mut().find(|known| known.id == comment);
                if let Some(found) = found.filter(|found| !found.reactions.contains(&reaction)) {
                    found.reactions.push(reaction);
                }
            });
        };
        self.wire
            .call("people.react", || {
                react();
                Ok(())
            })
            .await
    }
}

impl Comments for MemoryGitHub {
    async fn comment(
        &self,
        _repository: &RepositoryName,
        _installation: u64,
        pull: u64,
        mark: &str,
        text: &str,
        known: Option<&str>,
    ) -> Answer<String> {
        let known = known.map(|known| known.parse().map_err(|_| Fault::reject("no id of a comment")));
        if let Some(id) = known.transpose()? {
            let update = || Ok(self.state.with(|state| state.edit(id, text)));
            if self.wire.call("comments.update", update).await? {
                return Ok(id.to_string());
            }
        }
        let find = || {
            self.state.with(|state| {
                let is_ours =
                    |comment: &&PullComment| comment.pull == pull && comment.mark.as_deref() == Some(mark);
                state.comments.iter().find(is_ours).map(|comment| comment.id)
            })
        };
        let found = self.wire.call("comments.find", || Ok(find())).await?;
        if let Some(id) = found.filter(|_| self.wire.has(Guard::CommentMarks)) {
            self.wire.call("comments.update", || Ok(self.state.with(|state| state.edit(id, text)))).await?;
            return Ok(id.to_string());
        }
        let create = || self.state.with(|state| state.comment(pull, Some(mark), text));
        self.wire.call("comments.create", || Ok(create().to_string())).await
    }
}
