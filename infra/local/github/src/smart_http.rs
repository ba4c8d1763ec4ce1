//! Real git over smart HTTP: `git http-backend` as CGI, and the look at the refs around a push.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio_util::io::ReaderStream;

use crate::access::Caller;
use crate::answer::Problem;
use crate::state::{App, Repository, account};

/// Answers everything that is no route of the API: git's three addresses, else 404.
pub(crate) async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some((owner, name, service)) = address(parts.uri.path()) else {
        return Problem::not_found().into_response();
    };
    let writes = service == "git-receive-pack"
        || (service == "info/refs" && parts.uri.query() == Some("service=git-receive-pack"));
    let Ok(caller) = Caller::of(&app, &parts.headers) else { return ask_for_credentials() };
    let repository = app.data().repository(owner, name).cloned();
    let Some(repository) = repository.filter(|found| caller.sees(&app, found)) else {
        // A private repository is not told from a missing one, and git asks its user only after a 401.
        return match caller {
            Caller::Anonymous => ask_for_credentials(),
            _ => (StatusCode::NOT_FOUND, "Repository not found.\n").into_response(),
        };
    };
    let pusher = match (writes, caller) {
        (false, _) => None,
        (true, Caller::Person(login)) => Some(login),
        (true, Caller::Anonymous) => return ask_for_credentials(),
        (true, _) => {
            return (StatusCode::FORBIDDEN, "Write access to repository not granted.\n").into_response();
        }
    };
    let result = match pusher {
        Some(login) if parts.method == Method::POST => {
            // A task of its own: refs that moved are announced even when the client has gone.
            let push = tokio::spawn(receive(app, repository, service.to_owned(), login, parts, body));
            push.await.context("take a push").flatten()
        }
        _ => serve(&repository, service, &parts, body).await,
    };
    result.unwrap_or_else(|error| Problem::from(error).into_response())
}

/// `/<owner>/<name>[.git]/<one of git's services>`.
fn address(path: &str) -> Option<(&str, &str, &str)> {
    let (owner, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (name, service) = rest.split_once('/')?;
    let known = ["info/refs", "git-upload-pack", "git-receive-pack"].contains(&service);
    known.then_some((owner, name.strip_suffix(".git").unwrap_or(name), service))
}

fn ask_for_credentials() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"GitHub\"")];
    (StatusCode::UNAUTHORIZED, challenge, "Authentication required.\n").into_response()
}

/// A push: its refs before and after are compared, and what changed is announced.
async fn receive(
    app: Arc<App>,
    repository: Repository,
    service: String,
    login: String,
    parts: Parts,
    body: Body,
) -> Result<Response> {
    let _pushing = repository.pushing.lock().await;
    let before = repository.git.refs().await?;
    let mut child = start(&repository, &service, &parts, Some(&login))?;
    feed(&mut child, body)?;
    let mut output = BufReader::new(child.stdout.take().context("git has an output")?);
    let response = head(&mut output).await?;
    let mut report = Vec::new();
    output.read_to_end(&mut report).await.context("read git's report")?;
    child.wait().await.context("wait for git")?;
    let after = repository.git.refs().await?;
    let sender = account(app.base_url(), &login, "User");
    crate::push::announce(&app, &repository, &before, &after, &sender).await?;
    Ok(response.map(|()| Body::from(report)))
}

/// Everything that moves no ref: streamed.
async fn serve(repository: &Repository, service: &str, parts: &Parts, body: Body) -> Result<Response> {
    let mut child = start(repository, service, parts, None)?;
    feed(&mut child, body)?;
    let mut output = BufReader::new(child.stdout.take().context("git has an output")?);
    let response = head(&mut output).await?;
    // The task only collects the exit; when the client goes, git ends by its closed pipe.
    tokio::spawn(async move { child.wait().await });
    Ok(response.map(|()| Body::from_stream(ReaderStream::new(output))))
}

fn start(repository: &Repository, service: &str, parts: &Parts, user: Option<&str>) -> Result<Child> {
    let directory = repository.git.directory();
    let parent = directory.parent().context("a repository lies in a folder")?;
    let folder = directory.file_name().context("a repository has a folder")?.to_string_lossy().into_owned();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mut command: Command = repository.git.command();
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", parent)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{folder}/{service}"))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let forwarded = [
        ("content-length", "CONTENT_LENGTH"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ];
    for (name, variable) in forwarded {
        if let Some(value) = header(name) {
            command.env(variable, value);
        }
    }
    if let Some(user) = user {
        command.env("REMOTE_USER", user);
    }
    command.spawn().context("start git http-backend")
}

/// Hands the request's body to git while its answer is already read.
fn feed(child: &mut Child, body: Body) -> Result<()> {
    let mut input = child.stdin.take().context("git has an input")?;
    tokio::spawn(async move {
        let mut chunks = body.into_data_stream();
        while let Some(Ok(chunk)) = chunks.next().await {
            if input.write_all(&chunk).await.is_err() {
                break;
            }
        }
    });
    Ok(())
}

/// Reads the CGI header lines into a response without a body.
async fn head(output: &mut BufReader<ChildStdout>) -> Result<Response<()>> {
    let mut response = Response::new(());
    loop {
        let mut line = String::new();
        output.read_line(&mut line).await.context("read git's header")?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(response) };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            *response.status_mut() = code.parse().context("read git's status")?;
        } else {
            response.headers_mut().insert(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
        }
    }
}
