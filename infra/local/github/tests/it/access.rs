//! Who may do what: the App's own token, the installation's, a person's, nobody's.

use serde_json::{Value, json};

use crate::world::{APP_ID, INSTALLATION, KEYS, OTHER_KEYS, World, jwt, now, person};

#[tokio::test(flavor = "multi_thread")]
async fn only_a_right_token_of_the_app_opens_an_installation() {
    let world = World::start().await;
    let now = now();
    let line = format!("POST /app/installations/{INSTALLATION}/access_tokens");
    let claims = |change: fn(&mut Value, i64)| {
        let mut claims = json!({ "iss": APP_ID, "iat": now - 30, "exp": now + 300 });
        change(&mut claims, now);
        claims
    };
    let bearer = |token: String| format!("Bearer {token}");
    let signed = KEYS.sign(&claims(|_, _| ()));
    let mut altered = signed.clone();
    altered
        .replace_range(signed.len() - 6..signed.len() - 4, if signed.ends_with("AA") { "BB" } else { "AA" });
    let undecodable = "A JSON web token could not be decoded";
    let refused = [
        (bearer(OTHER_KEYS.sign(&claims(|_, _| ()))), undecodable),
        (bearer(altered), undecodable),
        (bearer("a.b.c".to_owned()), undecodable),
        (bearer(KEYS.sign(&claims(|claims, _| claims["iss"] = json!(78)))), "'Issuer' claim"),
        (bearer(KEYS.sign(&claims(|claims, now| claims["exp"] = json!(now - 1)))), "'Expiration time' claim"),
        (bearer(KEYS.sign(&claims(|claims, now| claims["exp"] = json!(now + 700)))), "too far in the future"),
        (bearer(KEYS.sign(&claims(|claims, now| claims["iat"] = json!(now + 300)))), "'Issued at' claim"),
        (bearer("ghs_unknown".to_owned()), "Bad credentials"),
        (person("dana"), undecodable),
        (String::new(), undecodable),
    ];
    for (authorization, message) in refused {
        let body = world.check(&line, &authorization, None, 401, json!({})).await;
        let said = body["message"].as_str().unwrap_or_default();
        assert!(said.contains(message), "{authorization}: {said}");
        assert!(body["documentation_url"].is_string());
    }
    let accepted = [signed, KEYS.sign(&claims(|claims, _| claims["iss"] = json!(APP_ID.to_string())))];
    for token in accepted {
        let expected = json!({ "repository_selection": "all", "permissions": { "checks": "write" } });
        let body = world.check(&line, &bearer(token), None, 201, expected).await;
        let expires: jiff::Timestamp =
            body["expires_at"].as_str().unwrap_or_default().parse().expect("a time");
        assert!((3590..=3610).contains(&(expires.as_second() - now)), "one hour: {expires}");
    }
    world.check("POST /app/installations/9/access_tokens", &jwt(), None, 404, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_describes_itself_and_its_installations() {
    let world = World::start().await;
    world.check("GET /app", &jwt(), None, 200, json!({ "id": APP_ID, "slug": "slipway" })).await;
    let expected = json!({ "id": INSTALLATION, "account": { "login": "acme" }, "app_id": APP_ID });
    world.check("GET /repos/acme/shop/installation", &jwt(), None, 200, expected.clone()).await;
    world.check(&format!("GET /app/installations/{INSTALLATION}"), &jwt(), None, 200, expected).await;
    world.check("GET /repos/other/thing/installation", &jwt(), None, 404, json!({})).await;
    world.check("GET /repos/acme/none/installation", &jwt(), None, 404, json!({})).await;
    world.check("GET /repos/acme/shop/installation", &world.app().await, None, 401, json!({})).await;
    let expected = json!({ "total_count": 2, "repositories": [{ "name": "shop" }, { "name": "open" }] });
    world.check("GET /installation/repositories", &world.app().await, None, 200, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_sees_and_does_what_is_his() {
    let world = World::start().await;
    let copy = world.clone_of("acme/open").await;
    let sha = copy.push_file("main", "a", "1").await;
    let app = world.app().await;
    let narrowed = |body: Value| {
        let world = &world;
        async move {
            let line = format!("POST /app/installations/{INSTALLATION}/access_tokens");
            let reply = world.call(&line, &jwt(), Some(body)).await;
            format!("Bearer {}", reply.json()["token"].as_str().unwrap_or_default())
        }
    };
    let only_open = narrowed(json!({ "repositories": ["open"] })).await;
    let reader = narrowed(json!({ "permissions": { "checks": "read", "metadata": "read" } })).await;
    let stranger = {
        let reply = world.call("POST /app/installations/502/access_tokens", &jwt(), None).await;
        format!("Bearer {}", reply.json()["token"].as_str().unwrap_or_default())
    };
    let nobody = String::new();
    let dana = person("dana");
    let check = Some(json!({ "name": "slipway", "head_sha": sha }));
    let cases = [
        ("GET /repos/acme/shop", &nobody, None, 404),
        ("GET /repos/acme/shop", &app, None, 200),
        ("GET /repos/acme/shop", &dana, None, 200),
        ("GET /repos/acme/shop", &stranger, None, 404),
        ("GET /repos/acme/shop", &only_open, None, 404),
        ("GET /repos/acme/shop", &jwt(), None, 403),
        ("GET /repos/acme/open", &nobody, None, 200),
        ("GET /repos/acme/open", &stranger, None, 200),
        ("GET /repos/ACME/Open", &app, None, 200),
        ("GET /repos/acme/none", &app, None, 404),
        ("POST /repos/acme/open/check-runs", &nobody, check.clone(), 401),
        ("POST /repos/acme/open/check-runs", &dana, check.clone(), 403),
        ("POST /repos/acme/open/check-runs", &stranger, check.clone(), 403),
        ("POST /repos/acme/open/check-runs", &reader, check.clone(), 403),
        ("POST /repos/acme/open/check-runs", &only_open, check.clone(), 201),
        ("GET /repos/acme/open/contents/a", &reader, None, 403),
        ("GET /repos/acme/open/contents/a", &app, None, 200),
        ("POST /repos/other/thing/statuses/main", &app, Some(json!({ "state": "success" })), 403),
        ("GET /nothing/here", &app, None, 404),
        ("DELETE /repos/acme/open", &app, None, 404),
        ("GET /repos/acme/open/pulls/first", &app, None, 404),
        ("GET /repos/acme/open/issues/1/comments?since=yesterday", &app, None, 422),
    ];
    for (line, who, body, status) in cases {
        let answer = world.check(line, who, body, status, json!({})).await;
        assert_eq!(answer["message"].is_string(), status >= 400, "{line}");
    }
    let line = format!("POST /app/installations/{INSTALLATION}/access_tokens");
    for body in [json!({ "repositories": ["thing"] }), json!({ "permissions": { "contents": "write" } })] {
        world.check(&line, &jwt(), Some(body), 422, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_permission_of_a_person_is_told() {
    let world = World::start().await;
    let body =
        json!({ "owner": "acme", "name": "team", "collaborators": { "Rosa": "maintain", "tom": "triage" } });
    world.check("POST /_local/repositories", &person("dana"), Some(body), 201, json!({})).await;
    let app = world.app().await;
    let cases = [
        ("team", "acme", "admin", "admin"),
        ("team", "rosa", "write", "maintain"),
        ("team", "tom", "read", "triage"),
        ("team", "passer-by", "read", "read"),
        ("shop", "passer-by", "none", "none"),
    ];
    for (repository, login, permission, role) in cases {
        let line = format!("GET /repos/acme/{repository}/collaborators/{login}/permission");
        let expected = json!({
            "permission": permission, "role_name": role,
            "user": { "login": login, "role_name": role, "permissions": { "push": permission == "admin" || permission == "write" } },
        });
        world.check(&line, &app, None, 200, expected).await;
    }
    let tom = "/_local/repos/acme/team/collaborators/Tom";
    let asked = "GET /repos/acme/team/collaborators/tom/permission";
    let role = |role: &str| Some(json!({ "role": role }));
    world.check(&format!("PUT {tom}"), &app, role("admin"), 401, json!({})).await;
    world.check(&format!("PUT {tom}"), &person("acme"), role("owner"), 422, json!({})).await;
    world.check(&format!("PUT {tom}"), &person("acme"), role("write"), 200, json!({})).await;
    world.check(asked, &app, None, 200, json!({ "permission": "write", "role_name": "write" })).await;
    world.check(&format!("DELETE {tom}"), &person("acme"), None, 200, json!({})).await;
    world.check(asked, &app, None, 200, json!({ "permission": "read", "role_name": "read" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hour_of_a_token_is_counted_and_ends() {
    let world = World::start().await;
    let app = world.app().await;
    let reply = world.call("GET /repos/acme/shop", &app, None).await;
    assert_eq!((reply.header("x-ratelimit-limit"), reply.header("x-ratelimit-remaining")), ("5000", "4999"));
    assert_eq!(reply.header("x-ratelimit-resource"), "core");
    let tag = reply.header("etag").to_owned();
    assert!(tag.starts_with("W/\""));
    let headers = [("authorization", app.as_str()), ("if-none-match", tag.as_str())];
    let unchanged = world.send("GET /repos/acme/shop", &headers, None).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.bytes.len()), (304, 0));
    assert_eq!(unchanged.header("x-ratelimit-remaining"), "4999", "a 304 is free");
    let headers = [("authorization", app.as_str()), ("if-none-match", "W/\"other\"")];
    assert_eq!(world.send("GET /repos/acme/shop", &headers, None).await.status, 200);

    world.check("PUT /_local/rate-limit", &person("dana"), Some(json!({ "limit": 3 })), 200, json!({})).await;
    world.check("GET /repos/acme/shop", &app, None, 200, json!({})).await;
    let refused = world.call("GET /repos/acme/shop", &app, None).await;
    assert_eq!((refused.status.as_u16(), refused.header("x-ratelimit-remaining")), (403, "0"));
    let reset: i64 = refused.header("x-ratelimit-reset").parse().expect("a time");
    assert!(reset > now() && reset <= now() + 3600);
    world.check("GET /repos/acme/open", "", None, 200, json!({})).await;
}
