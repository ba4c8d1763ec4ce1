//! Two clouds on ports of their own, and ports that are taken.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context;

use crate::support::{Folder, Held, forget, slipway, status_code, unique};

/// The first of two times five free ports that follow each other.
fn free_ports() -> anyhow::Result<u16> {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let first = 21_000 + u16::try_from(std::process::id() % 500)? * 10;
    (first..30_000).step_by(10).find(|base| (*base..base + 10).all(is_free)).context("ten free ports")
}

#[tokio::test]
async fn two_clouds_have_ports_of_their_own_and_a_taken_one_is_named() -> anyhow::Result<()> {
    let functions = Folder::of_functions()?;
    let folder = functions.path().display().to_string();
    let base = free_ports()?;
    let (base_of_one, base_of_other) = (base.to_string(), (base + 5).to_string());
    let (name_of_one, name_of_other) = (unique("port-a"), unique("port-b"));
    let arguments_of_one = ["--port", &base_of_one, "--functions", &folder];
    let arguments_of_other = ["--port", &base_of_other, "--functions", &folder];
    let (one, other) = tokio::try_join!(
        Held::again(&name_of_one, &arguments_of_one),
        Held::again(&name_of_other, &arguments_of_other),
    )?;
    for (cloud, base) in [(&one, base), (&other, base + 5)] {
        let ports = cloud.record()?.ports;
        let found = [ports.aws, ports.builds, ports.github, ports.cluster, ports.slack];
        assert_eq!(found, [base, base + 1, base + 2, base + 3, base + 4]);
        assert_eq!(cloud.post_webhook().await?, format!("hello from {}-webhook", cloud.name()));
    }

    let third = unique("port-c");
    let check = async |port: u16, expect: &str| {
        let port = port.to_string();
        let up = ["local", "up", "--name", &third, "--port", &port, "--functions", &folder];
        let refused = slipway(&up).await?;
        assert_eq!(refused.status.code(), Some(1));
        let said = String::from_utf8(refused.stderr)?;
        assert!(said.contains(expect), "{said}");
        assert!(said.contains("`--port` names the first of five free ones"), "{said}");
        anyhow::Ok(())
    };
    check(base, &format!("port {base} is taken by the cloud `{name_of_one}`")).await?;
    check(base - 1, &format!("port {base} is taken by the cloud `{name_of_one}`")).await?;

    let (traces_of_one, traces_of_other) = (one.traces()?, other.traces()?);
    one.end_in_order().await?;
    traces_of_one.assert_gone().await?;
    assert_eq!(status_code(&other.record()?.github_url()).await?, 200);
    assert_eq!(other.post_webhook().await?, format!("hello from {name_of_other}-webhook"));

    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 2))?;
    check(base, &format!("port {} is taken;", base + 2)).await?;
    drop(held);
    forget(&third)?;
    other.end_in_order().await?;
    traces_of_other.assert_gone().await
}
