//! The page for people at `/`: commits with their checks, comments, deployments, deliveries.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::answer::Problem;
use crate::checks::CheckRun;
use crate::history;
use crate::state::{App, Repository};

const COMMITS_SHOWN: &str = "--max-count=20";
const DELIVERIES_SHOWN: usize = 30;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328}\
h2{border-bottom:1px solid #d1d9e0;margin-top:2.5rem}article{border:1px solid #d1d9e0;border-radius:6px;\
padding:.3rem 1rem;margin:.7rem 0}code,pre{font:13px/1.45 ui-monospace,monospace;background:#f6f8fa}\
pre{padding:.6rem;overflow:auto;white-space:pre-wrap}.success{color:#1a7f37}.failure,.timed_out,.cancelled{color:#cf222e}\
.action_required,.in_progress,.queued{color:#9a6700}small{color:#59636e}table{border-collapse:collapse}\
td,th{padding:.15rem .8rem .15rem 0;text-align:left}";

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/", get(show))
}

async fn show(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>GitHub stand-in</title><style>{STYLE}</style>\
         <h1>GitHub on this machine</h1>"
    );
    let repositories = app.data().repositories.clone();
    for repository in &repositories {
        page.push_str(&one(&app, repository).await?);
    }
    page.push_str(&deliveries(&app));
    // Nothing on the page runs, whatever a commit or a comment says.
    let policy = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")];
    Ok((policy, Html(page)).into_response())
}

async fn one(app: &App, repository: &Repository) -> anyhow::Result<String> {
    let mut html = String::new();
    let url = format!("{}.git", app.html_url(repository));
    let name = escape(&repository.full_name());
    writeln!(html, "<h2>{name}</h2><p><code>git clone {}</code></p>", escape(&url))?;
    let refs = repository.git.refs().await?;
    let commits = if refs.is_empty() {
        html.push_str("<p>Nothing has been pushed.</p>");
        Vec::new()
    } else {
        // The heads of pull requests from forks stand beside the repository's own branches.
        history::log(&repository.git, &[COMMITS_SHOWN, "--branches", "--tags", "--glob=refs/pull/*/head"])
            .await?
    };
    for commit in commits {
        let tips = refs.iter().filter(|(_, sha)| **sha == commit.sha);
        let tips: String = tips.fold(String::new(), |all, (name, _)| {
            let short = name.trim_start_matches("refs/heads/").trim_start_matches("refs/");
            format!("{all} <code>{}</code>", escape(short))
        });
        let subject = escape(commit.message.lines().next().unwrap_or_default());
        let (short, author) = (&commit.sha[..7], escape(&commit.author.name));
        writeln!(html, "<article><p><b>{subject}</b>{tips}<br><small>{short} by {author}</small></p>")?;
        for run in newest_runs(app, repository, &commit.sha) {
            check(&mut html, &run)?;
        }
        html.push_str("</article>");
    }
    pulls(&mut html, app, repository)?;
    deployments(&mut html, app, repository)?;
    Ok(html)
}

/// The newest run of each name, in the order in which the names appeared.
fn newest_runs(app: &App, repository: &Repository, sha: &str) -> Vec<CheckRun> {
    let data = app.data();
    let mut newest: Vec<CheckRun> = Vec::new();
    for run in data.checks.iter().filter(|run| run.repository == repository.id && run.head_sha == sha) {
        match newest.iter_mut().find(|known| known.name == run.name) {
            Some(known) => *known = run.clone(),
            None => newest.push(run.clone()),
        }
    }
    newest
}

fn check(html: &mut String, run: &CheckRun) -> std::fmt::Result {
    let state = run.conclusion.as_deref().unwrap_or(&run.status);
    let title = escape(run.title.as_deref().unwrap_or_default());
    writeln!(
        html,
        "<div id=\"check-{}\"><b class=\"{state}\">{state}</b> {}: {title}",
        run.id,
        escape(&run.name)
    )?;
    if let Some(completed) = run.completed_at {
        let seconds = completed.as_second() - run.started_at.as_second();
        write!(html, " <small>{seconds} s</small>")?;
    }
    for text in [&run.summary, &run.text].into_iter().flatten().filter(|text| !text.is_empty()) {
        writeln!(
            html,
            "<details><summary>{}</summary><pre>{}</pre></details>",
            first_line(text),
            escape(text)
        )?;
    }
    for note in &run.annotations {
        let (path, line) = (escape(&note.path), note.start_line);
        let level = &note.level;
        writeln!(
            html,
            "<p><small class=\"{level}\">{level}</small> <code>{path}:{line}</code> {}</p>",
            escape(&note.message)
        )?;
    }
    for button in run.buttons() {
        let (label, description) = (escape(&button.label), escape(&button.description));
        writeln!(html, "<small title=\"{description}\">[{label}]</small>")?;
    }
    html.push_str("</div>");
    Ok(())
}

fn pulls(html: &mut String, app: &App, repository: &Repository) -> std::fmt::Result {
    let data = app.data();
    for pull in data.pulls.iter().filter(|pull| pull.base_repository == repository.id) {
        let state = if pull.merged {
            "merged"
        } else if pull.open && pull.draft {
            "draft"
        } else if pull.open {
            "open"
        } else {
            "closed"
        };
        let (title, head, base) = (escape(&pull.title), escape(&pull.head_branch), escape(&pull.base_branch));
        writeln!(html, "<article><h3>#{} {title}</h3><p>{state}: {head} into {base}", pull.number)?;
        for label in &pull.labels {
            write!(html, " <small>[{}]</small>", escape(&label.name))?;
        }
        html.push_str("</p>");
        let mine = |id: u64, issue: u64| id == repository.id && issue == pull.number;
        for comment in data.comments.iter().filter(|known| mine(known.repository, known.issue)) {
            let (author, body) =
                (escape(comment.author["login"].as_str().unwrap_or_default()), escape(&comment.body));
            let reactions: Vec<&str> = comment.reactions.iter().map(|one| one.content.as_str()).collect();
            let (when, reactions) = (comment.created_at, reactions.join(" "));
            writeln!(html, "<p><b>{author}</b> <small>{when} {reactions}</small></p><pre>{body}</pre>")?;
        }
        html.push_str("</article>");
    }
    Ok(())
}

fn deployments(html: &mut String, app: &App, repository: &Repository) -> std::fmt::Result {
    let data = app.data();
    let mine: Vec<_> = data.deployments.iter().filter(|known| known.repository == repository.id).collect();
    if mine.is_empty() {
        return Ok(());
    }
    html.push_str("<h3>Deployments</h3><table>");
    for deployment in mine.iter().rev().take(DELIVERIES_SHOWN) {
        let last = deployment.statuses.last();
        let state = last.map_or("created", |status| status.state.as_str());
        let text = escape(last.map_or("", |status| status.description.as_str()));
        let (environment, short) = (escape(&deployment.environment), &deployment.sha[..7]);
        writeln!(html, "<tr><td>{environment}<td>{short}<td class=\"{state}\">{state}<td>{text}</tr>")?;
    }
    html.push_str("</table>");
    Ok(())
}

fn deliveries(app: &App) -> String {
    let data = app.data();
    let mut html =
        "<h2>Webhooks</h2><table><tr><th>when<th>event<th>answer<th>took<th>delivery</tr>".to_owned();
    for delivery in data.deliveries.iter().rev().take(DELIVERIES_SHOWN) {
        let event = escape(&delivery.event);
        let action =
            delivery.action.as_deref().map(|action| format!(".{}", escape(action))).unwrap_or_default();
        let (answer, took) =
            delivery.outcome.as_ref().map_or(("under way".to_owned(), String::new()), |outcome| {
                (
                    format!("{} {}", outcome.code, escape(&outcome.status)),
                    format!("{} ms", outcome.duration.as_millis()),
                )
            });
        let again = if delivery.redelivery { " (again)" } else { "" };
        let row = [delivery.delivered_at.to_string(), format!("{event}{action}"), answer, took];
        html.push_str("<tr>");
        for cell in &row {
            html.extend(["<td>", cell]);
        }
        html.extend(["<td><code>", delivery.guid.as_str(), "</code>", again, "</tr>\n"]);
    }
    html.push_str("</table></html>");
    html
}

fn first_line(text: &str) -> String {
    escape(text.trim_start().lines().next().unwrap_or_default())
}

fn escape(text: &str) -> String {
    let safe = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    safe.replace('"', "&quot;").replace('\'', "&#39;")
}
