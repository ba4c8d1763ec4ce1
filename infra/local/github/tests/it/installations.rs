//! What becomes of an installation, and what its App hears of it.

use serde_json::json;

use crate::world::{INSTALLATION, World, holds, jwt, names, person};

fn act(action: &str) -> String {
    format!("POST /_local/installations/{INSTALLATION}/{action}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_names_the_hook_and_no_installation() {
    let world = World::start().await;
    world.check("POST /_local/ping", "", None, 401, json!({})).await;
    world.check("POST /_local/ping", &person("dana"), None, 200, json!({})).await;
    let hook = world.hook().await;
    assert_eq!(hook.header("x-github-event"), "ping");
    let expected = json!({ "hook_id": 1, "hook": { "type": "App", "app_id": 77, "active": true } });
    assert!(holds(&hook.payload, &expected), "{:#}", hook.payload);
    assert!(hook.payload["zen"].is_string() && hook.payload["installation"].is_null());
    let listed = json!([{ "event": "ping", "installation_id": null, "repository_id": null }]);
    world.check("GET /app/hook/deliveries", &jwt(), None, 200, listed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_installation_reads_and_hears_nothing() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    let (app, dana) = (world.app().await, person("dana"));
    world.check(&act("suspend"), &app, None, 401, json!({})).await;
    world.check(&act("unsuspend"), &dana, None, 422, json!({})).await;
    world.check(&act("dance"), &dana, None, 404, json!({})).await;
    world.check(&act("suspend"), &dana, None, 200, json!({})).await;
    let told = world.hook_of("installation").await.payload;
    let expected = json!({
        "action": "suspend", "sender": { "login": "dana" },
        "installation": { "id": INSTALLATION, "app_id": 77, "account": { "login": "acme" } },
        "repositories": [{ "full_name": "acme/shop", "private": true }, { "full_name": "acme/open" }],
    });
    assert!(holds(&told, &expected), "{told:#}");
    assert!(told["installation"]["suspended_at"].is_string());

    let suspended = json!({ "message": "This installation has been suspended" });
    world.check("GET /repos/acme/shop", &app, None, 403, suspended.clone()).await;
    let token = format!("POST /app/installations/{INSTALLATION}/access_tokens");
    world.check(&token, &jwt(), None, 403, suspended).await;
    copy.push_file("develop", "a", "1").await;
    world.check(&act("unsuspend"), &dana, None, 200, json!({ "suspended_at": null })).await;
    assert_eq!(names(&world.hooks(1).await), ["installation.unsuspend"], "the push was not told");
    world.check("GET /repos/acme/shop", &app, None, 200, json!({})).await;
    copy.push_file("develop", "a", "2").await;
    assert_eq!(names(&world.hooks(1).await), ["push"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_installation_is_gone_until_it_is_made_again() {
    let world = World::start().await;
    let copy = world.clone_of("acme/shop").await;
    let (app, dana) = (world.app().await, person("dana"));
    world.check(&act("created"), &dana, None, 422, json!({})).await;
    world.check(&act("deleted"), &dana, None, 200, json!({})).await;
    let told = world.hook().await.payload;
    assert!(holds(&told, &json!({ "action": "deleted", "repositories": [{}, {}] })), "{told:#}");
    world.check("GET /repos/acme/open", &app, None, 401, json!({})).await;
    let token = format!("POST /app/installations/{INSTALLATION}/access_tokens");
    world.check(&token, &jwt(), None, 404, json!({})).await;
    world.check("GET /repos/acme/shop/installation", &jwt(), None, 404, json!({})).await;
    world.check("GET /app/installations", &jwt(), None, 200, json!([{ "id": 502 }])).await;
    copy.push_file("develop", "a", "1").await;
    world.check(&act("created"), &dana, None, 200, json!({})).await;
    assert_eq!(names(&world.hooks(1).await), ["installation.created"]);
    world.check("GET /repos/acme/shop", &world.app().await, None, 200, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_repositories_come_and_go() {
    let world = World::start().await;
    let (app, dana) = (world.app().await, person("dana"));
    let choose = format!("PUT /_local/installations/{INSTALLATION}/repositories");
    let wanted = json!({ "repositories": ["open"] });
    world
        .check(&choose, &dana, Some(wanted.clone()), 200, json!({ "repository_selection": "selected" }))
        .await;
    let told = world.hook().await.payload;
    let expected = json!({
        "action": "removed", "repository_selection": "selected", "repositories_added": [],
        "repositories_removed": [{ "full_name": "acme/shop" }], "installation": { "id": INSTALLATION },
    });
    assert!(holds(&told, &expected), "{told:#}");
    world.check("GET /repos/acme/shop", &app, None, 404, json!({})).await;
    world.check(&choose, &dana, Some(wanted), 200, json!({})).await;
    world.check(&choose, &dana, Some(json!({})), 200, json!({ "repository_selection": "all" })).await;
    let told = world.hook().await.payload;
    let expected = json!({ "action": "added", "repositories_added": [{ "name": "shop" }] });
    assert!(holds(&told, &expected), "{told:#}");
    world.check("GET /repos/acme/shop", &app, None, 200, json!({})).await;
    world.no_hook_left().await;
}
