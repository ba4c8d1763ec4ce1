//! Check runs: found before they are created, updated in place, annotations appended but never doubled.

use domain::ids::RunId;
use domain::ports::{Answer, Button, Check, CheckState, Checks};
use domain::report::{Annotation, AnnotationLevel};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::exchange::{Request, parse};
use crate::{GitHub, limits, paths};

#[derive(Deserialize)]
struct Listed {
    check_runs: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    id: u64,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    output: FoundOutput,
    app: Option<FoundApp>,
}

#[derive(Default, Deserialize)]
struct FoundOutput {
    #[serde(default)]
    annotations_count: usize,
}

#[derive(Deserialize)]
struct FoundApp {
    id: u64,
}

/// An annotation in GitHub's form, as sent and as read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    path: String,
    start_line: u32,
    end_line: u32,
    annotation_level: AnnotationLevel,
    title: Option<String>,
    message: String,
}

impl Checks for GitHub {
    async fn show(
        &self,
        run: &RunId,
        installation: u64,
        check: &Check,
        known: Option<&str>,
    ) -> Answer<String> {
        let showing = Showing {
            github: self,
            run,
            installation,
            what: format!("could not show the check `{}`", check.name),
        };
        let mut notes: Vec<Note> = check.annotations.iter().map(note).collect();
        let id = match showing.update_known(check, known, &mut notes).await? {
            Some(id) => id,
            None => match showing.find(check).await? {
                Some(found) => showing.update(&found, check, &mut notes).await?.unwrap_or_default(),
                None => 0,
            },
        };
        let id = if id == 0 { showing.create(check, &mut notes).await? } else { id };
        showing.append(id, check, &mut notes).await?;
        Ok(id.to_string())
    }
}

/// One call of [`Checks::show`].
struct Showing<'a> {
    github: &'a GitHub,
    run: &'a RunId,
    installation: u64,
    what: String,
}

impl Showing<'_> {
    /// Updates the check run that the caller remembers, if it is still there.
    async fn update_known(
        &self,
        check: &Check,
        known: Option<&str>,
        notes: &mut Vec<Note>,
    ) -> Answer<Option<u64>> {
        let Some(id) = known.and_then(|known| known.parse().ok()) else { return Ok(None) };
        // Without annotations there is nothing that could be doubled, so nothing to ask.
        let existing = if notes.is_empty() { Some(0) } else { self.count(id).await? };
        let Some(annotations_count) = existing else { return Ok(None) };
        let found = Found { id, external_id: None, output: FoundOutput { annotations_count }, app: None };
        self.update(&found, check, notes).await
    }

    /// None when it has vanished.
    async fn update(&self, found: &Found, check: &Check, notes: &mut Vec<Note>) -> Answer<Option<u64>> {
        self.drop_existing(found, notes).await?;
        let body = body(check, &take(notes));
        let request =
            Request::new(Method::PATCH, self.path(&format!("check-runs/{}", found.id))).with_body(body);
        match self.github.ask(&self.run.repository, self.installation, &request, &self.what).await? {
            Ok(_) => Ok(Some(found.id)),
            Err(refusal) if refusal.is_absence() => Ok(None),
            Err(refusal) => Err(refusal.fault(&self.what)),
        }
    }

    async fn create(&self, check: &Check, notes: &mut Vec<Note>) -> Answer<u64> {
        let mut body = body(check, &take(notes));
        body["name"] = json!(check.name);
        body["head_sha"] = json!(self.run.sha);
        body["external_id"] = json!(self.run.to_string());
        let request = Request::new(Method::POST, self.path("check-runs")).with_body(body);
        let answer = self.github.ask(&self.run.repository, self.installation, &request, &self.what).await?;
        let response = answer.map_err(|refusal| refusal.fault(&self.what))?;
        parse::<Found>(response, &self.what).await.map(|found| found.id)
    }

    /// Sends what did not fit, in further requests. They repeat the state, so that each is whole in itself.
    async fn append(&self, id: u64, check: &Check, notes: &mut Vec<Note>) -> Answer<()> {
        while !notes.is_empty() {
            let body = body(check, &take(notes));
            let request = Request::new(Method::PATCH, self.path(&format!("check-runs/{id}"))).with_body(body);
            let answer =
                self.github.ask(&self.run.repository, self.installation, &request, &self.what).await?;
            answer.map_err(|refusal| refusal.fault(&self.what))?;
        }
        Ok(())
    }

    /// The commit's check run of that name, if this App made it for this run.
    async fn find(&self, check: &Check) -> Answer<Option<Found>> {
        let name = paths::escaped(&check.name);
        let path = self.path(&format!(
            "commits/{}/check-runs?check_name={name}&filter=latest&per_page=100",
            self.run.sha
        ));
        let answer =
            self.github.ask(&self.run.repository, self.installation, &Request::get(path), &self.what).await?;
        let response = answer.map_err(|refusal| refusal.fault(&self.what))?;
        let listed: Listed = parse(response, &self.what).await?;
        let external_id = self.run.to_string();
        let ours = |found: &Found| {
            let app = found.app.as_ref().map(|app| app.id);
            app == Some(self.github.app.id) && found.external_id.as_deref() == Some(external_id.as_str())
        };
        Ok(listed.check_runs.into_iter().find(ours))
    }

    /// How many annotations a check run has; none when there is no such check run.
    async fn count(&self, id: u64) -> Answer<Option<usize>> {
        let request = Request::get(self.path(&format!("check-runs/{id}")));
        match self.github.ask(&self.run.repository, self.installation, &request, &self.what).await? {
            Ok(response) => {
                parse::<Found>(response, &self.what).await.map(|found| Some(found.output.annotations_count))
            }
            Err(refusal) if refusal.is_absence() => Ok(None),
            Err(refusal) => Err(refusal.fault(&self.what)),
        }
    }

    /// GitHub appends annotations and cannot remove them: those that stand already are not sent again.
    async fn drop_existing(&self, found: &Found, notes: &mut Vec<Note>) -> Answer<()> {
        if notes.is_empty() || found.output.annotations_count == 0 {
            return Ok(());
        }
        let pages = found.output.annotations_count.div_ceil(100);
        for page in 1..=pages {
            let path = self.path(&format!("check-runs/{}/annotations?per_page=100&page={page}", found.id));
            let answer = self
                .github
                .ask(&self.run.repository, self.installation, &Request::get(path), &self.what)
                .await?;
            let response = answer.map_err(|refusal| refusal.fault(&self.what))?;
            let existing: Vec<Note> = parse(response, &self.what).await?;
            notes.retain(|note| !existing.contains(note));
        }
        Ok(())
    }

    fn path(&self, rest: &str) -> String {
        paths::of(&self.run.repository, rest)
    }
}

fn take(notes: &mut Vec<Note>) -> Vec<Note> {
    notes.drain(..notes.len().min(limits::ANNOTATIONS)).collect()
}

fn note(annotation: &Annotation) -> Note {
    Note {
        path: annotation.path.clone(),
        start_line: annotation.line.max(1),
        end_line: annotation.line.max(1),
        annotation_level: annotation.level,
        title: Some(limits::title(&annotation.title)),
        message: limits::message(&annotation.message),
    }
}

fn body(check: &Check, notes: &[Note]) -> Value {
    let mut output = json!({
        "title": limits::title(&check.title),
        "summary": limits::long_text(&check.summary),
        "text": limits::long_text(&check.text),
    });
    if !notes.is_empty() {
        output["annotations"] = json!(notes);
    }
    let (status, conclusion) = match check.state {
        CheckState::Queued => ("queued", None),
        CheckState::InProgress => ("in_progress", None),
        CheckState::Success => ("completed", Some("success")),
        CheckState::Failure => ("completed", Some("failure")),
        CheckState::ActionRequired => ("completed", Some("action_required")),
        CheckState::Cancelled => ("completed", Some("cancelled")),
    };
    let mut body = json!({"status": status, "output": output});
    if let Some(conclusion) = conclusion {
        body["conclusion"] = json!(conclusion);
        // Those of the last conclusion go, where there are none now.
        body["actions"] = check.buttons.iter().take(limits::BUTTONS).map(button).collect();
    }
    let is_address = |address: &&String| address.starts_with("https://") || address.starts_with("http://");
    if let Some(details) = check.details.as_ref().filter(is_address) {
        body["details_url"] = json!(details);
    }
    body
}

fn button(button: &Button) -> Value {
    json!({
        "label": limits::label(&button.label),
        "description": limits::description(&button.description),
        "identifier": limits::label(&button.identifier),
    })
}
