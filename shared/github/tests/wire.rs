//! What goes over the wire: credentials, redirects, renewed tokens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::ids::RepositoryName;
use domain::ports::{Advice, Branches as _, Secret, Source as _};
use github::GitHub;
use serde_json::json;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// A server that answers what a test says and remembers what it was asked.
#[derive(Clone)]
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

type Answer = Arc<dyn Fn(&str, usize) -> (u16, Vec<(&'static str, String)>, String) + Send + Sync>;

impl Server {
    async fn start(
        answer: impl Fn(&str, usize) -> (u16, Vec<(&'static str, String)>, String) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let server = Self { url: format!("http://{}", listener.local_addr()?), asked: Arc::default() };
        let answer: Answer = Arc::new(answer);
        let router = Router::new().fallback(respond).with_state((server.clone(), answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(server)
    }

    fn asked(&self, beginning: &str) -> Vec<HeaderMap> {
        let asked = self.asked.lock().expect("unpoisoned");
        asked
            .iter()
            .filter(|(call, _)| call.starts_with(beginning))
            .map(|(_, headers)| headers.clone())
            .collect()
    }
}

async fn respond(State((server, answer)): State<(Server, Answer)>, request: Request) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    let earlier = server.asked(&call).len();
    server.asked.lock().expect("unpoisoned").push((call.clone(), request.headers().clone()));
    let (status, headers, body) = answer(&call, earlier);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

fn token(number: usize, expires: &str) -> (u16, Vec<(&'static str, String)>, String) {
    (201, Vec::new(), json!({"token": format!("ghs_token{number}"), "expires_at": expires}).to_string())
}

fn tip() -> (u16, Vec<(&'static str, String)>, String) {
    (
        200,
        Vec::new(),
        json!({"ref": "refs/heads/develop", "object": {"sha": SHA, "type": "commit"}}).to_string(),
    )
}

fn github(server: &Server) -> anyhow::Result<GitHub> {
    let key = std::process::Command::new("openssl").args(["genrsa", "2048"]).output()?;
    Ok(GitHub::new(&server.url, 42, &Secret::new(String::from_utf8(key.stdout)?))?)
}

fn repository() -> RepositoryName {
    "vive-sphere/bot-manager".parse().expect("a name")
}

const TOKENS: &str = "POST /app/installations/7/access_tokens";
const REF: &str = "GET /repos/vive-sphere/bot-manager/git/ref/heads/develop";
const FAR: &str = "2999-01-01T00:00:00Z";

#[tokio::test]
async fn a_token_is_kept_and_a_refused_one_is_renewed_once() -> anyhow::Result<()> {
    let server = Server::start(|call, earlier| match call {
        TOKENS => token(earlier, FAR),
        // The second question meets a token that was revoked meanwhile.
        REF if earlier == 1 => (401, Vec::new(), json!({"message": "Bad credentials"}).to_string()),
        _ => tip(),
    })
    .await?;
    let github = github(&server)?;
    for _ in 0..3 {
        assert_eq!(github.branch_tip(&repository(), 7, "develop").await?, Some(SHA.parse()?));
    }
    assert_eq!(server.asked(TOKENS).len(), 2);
    let used: Vec<String> =
        server.asked(REF).iter().map(|headers| header(headers, "authorization")).collect();
    assert_eq!(used, ["Bearer ghs_token0", "Bearer ghs_token0", "Bearer ghs_token1", "Bearer ghs_token1"]);
    let headers = &server.asked(REF)[0];
    assert_eq!(
        (header(headers, "user-agent"), header(headers, "x-github-api-version")),
        ("slipway".to_owned(), "2026-03-10".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn a_token_near_its_end_is_not_used_again() -> anyhow::Result<()> {
    let soon = jiff::Timestamp::now() + Duration::from_secs(200);
    let server = Server::start(
        move |call, earlier| if call == TOKENS { token(earlier, &soon.to_string()) } else { tip() },
    )
    .await?;
    let github = github(&server)?;
    for _ in 0..2 {
        github.branch_tip(&repository(), 7, "develop").await?;
    }
    assert_eq!(server.asked(TOKENS).len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_redirect_to_another_host_gets_no_credentials() -> anyhow::Result<()> {
    let elsewhere = Server::start(|_, _| (200, Vec::new(), "PK the zip".to_owned())).await?;
    let target = format!("{}/codeload", elsewhere.url);
    let server = Server::start(move |call, earlier| match call {
        TOKENS => token(earlier, FAR),
        _ => (302, vec![("location", target.clone())], String::new()),
    })
    .await?;
    let file = std::env::temp_dir().join(format!("slipway-github-redirect-{}", std::process::id()));
    github(&server)?.download(&repository(), 7, &SHA.parse()?, &file, 1000).await?;
    assert_eq!(std::fs::read_to_string(&file)?, "PK the zip");
    std::fs::remove_file(&file)?;
    let asked = elsewhere.asked("GET /codeload");
    assert_eq!(asked.len(), 1);
    assert!(!asked[0].contains_key("authorization"));
    Ok(())
}

#[tokio::test]
async fn every_limit_of_github_becomes_a_wait() -> anyhow::Result<()> {
    let secondary = json!({"message": "You have exceeded a secondary rate limit. Please wait."}).to_string();
    let named = (403, vec![("retry-after", "17".to_owned())], secondary.clone());
    let unnamed = (403, Vec::new(), secondary);
    let too_many = (429, Vec::new(), "{}".to_owned());
    for (answer, expected) in [(named, 17), (unnamed, 60), (too_many, 60)] {
        let server = Server::start(
            move |call, earlier| if call == TOKENS { token(earlier, FAR) } else { answer.clone() },
        )
        .await?;
        let fault = github(&server)?.branch_tip(&repository(), 7, "develop").await.expect_err("limited");
        assert_eq!(fault.advice, Advice::Retry(Some(Duration::from_secs(expected))), "{}", fault.chain());
    }
    Ok(())
}

#[tokio::test]
async fn a_forbidden_or_broken_answer_is_told_apart() -> anyhow::Result<()> {
    let forbidden = json!({"message": "Resource not accessible by integration"}).to_string();
    for (status, body, advice) in
        [(403, forbidden, Advice::Reject), (502, "<html>".to_owned(), Advice::Retry(None))]
    {
        let server = Server::start(move |call, earlier| {
            if call == TOKENS { token(earlier, FAR) } else { (status, Vec::new(), body.clone()) }
        })
        .await?;
        let fault = github(&server)?.branch_tip(&repository(), 7, "develop").await.expect_err("refused");
        assert_eq!(fault.advice, advice, "{}", fault.chain());
        assert!(!fault.chain().contains("ghs_"), "{}", fault.chain());
    }
    Ok(())
}

#[tokio::test]
async fn a_list_that_is_known_is_asked_for_by_its_mark() -> anyhow::Result<()> {
    let tag = "W/\"a mark\"";
    let list =
        json!([{"name": "develop", "commit": {"sha": SHA, "url": ""}, "protected": false}]).to_string();
    let server = Server::start(move |call, earlier| match call {
        TOKENS => token(earlier, FAR),
        _ if earlier == 0 => (200, vec![("etag", tag.to_owned())], list.clone()),
        _ => (304, vec![("etag", tag.to_owned())], String::new()),
    })
    .await?;
    let github = github(&server)?;
    let seen = github.branches(&repository(), 7, &[]).await?.expect("a first list");
    assert_eq!(
        (seen.branches.get(&"develop".parse()?), seen.marks.as_slice()),
        (Some(&SHA.parse()?), &[tag.to_owned()][..])
    );
    assert_eq!(github.branches(&repository(), 7, &seen.marks).await?, None);
    let asked = server.asked("GET /repos/vive-sphere/bot-manager/branches");
    let marks: Vec<_> = asked.iter().map(|headers| header(headers, "if-none-match")).collect();
    assert_eq!(marks, ["", tag]);
    Ok(())
}

#[tokio::test]
async fn a_list_ends_after_a_thousand_branches_and_says_so() -> anyhow::Result<()> {
    let page = |number: usize| -> Vec<_> {
        let branch = |place| json!({"name": format!("branch-{number}-{place}"), "commit": {"sha": SHA}});
        (0..100).map(branch).collect()
    };
    let server = Server::start(move |call, earlier| match call {
        TOKENS => token(earlier, FAR),
        _ if earlier < 10 => {
            (200, vec![("etag", format!("\"{earlier}\""))], json!(page(earlier)).to_string())
        }
        _ => (304, Vec::new(), String::new()),
    })
    .await?;
    let github = github(&server)?;
    let seen = github.branches(&repository(), 7, &[]).await?.expect("a first list");
    assert_eq!((seen.branches.len(), seen.marks.len(), seen.cut), (1000, 10, true));
    assert_eq!(github.branches(&repository(), 7, &seen.marks).await?, None);
    assert_eq!(server.asked("GET /repos/vive-sphere/bot-manager/branches").len(), 20);
    Ok(())
}

#[tokio::test]
async fn whoever_made_a_commit_is_named_as_well_as_github_can() -> anyhow::Result<()> {
    let text =
        |name| json!({"message": "First line\n\nBody", "author": {"name": name, "email": "", "date": ""}});
    for (made, expected) in [
        (json!([{"commit": text("Ada"), "author": {"login": "ada"}}]), Some("ada")),
        (json!([{"commit": text("Ada"), "author": null}]), Some("Ada")),
        (
            json!([{"commit": {"message": "First line\n\nBody", "author": null}, "author": null}]),
            Some("unknown"),
        ),
        (json!([]), None),
    ] {
        let server = Server::start(move |call, earlier| match call {
            TOKENS => token(earlier, FAR),
            _ => (200, Vec::new(), made.to_string()),
        })
        .await?;
        let words = github(&server)?.commit_words(&repository(), 7, &SHA.parse()?).await?;
        assert_eq!(words.as_ref().map(|words| words.author.as_str()), expected);
        assert!(words.is_none_or(|words| words.message == "First line\n\nBody"));
    }
    Ok(())
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
