//! A plan as a person reads it.

use domain::ids::{ServiceName, Stage};
use domain::spec::{
    BuildSettings, ChecksSpec, Compute, Drafts, IntegrationSpec, OlderRuns, Plan, Reads, Rendering,
    ServiceSpec, Severity,
};

use super::excerpt::visible;
use super::shown::joined;
use crate::output;

/// The most paths shown of what something reads.
const MOST_PATHS: usize = 8;

/// What a push would run.
pub(super) fn show(name: &str, plan: &Plan) {
    output::good(&format!("`{name}` is good. A push would run:"));
    for service in &plan.services {
        show_service(service);
    }
    if let Some(checks) = &plan.checks {
        show_checks(checks);
    }
    if let Some(integration) = &plan.integration {
        show_integration(integration);
    }
    let builds = plan.max_parallel_builds.map(|most| format!("at most {most} test builds at a time"));
    let older = match plan.older_runs {
        OlderRuns::Finish => None,
        OlderRuns::Cancel => {
            Some("an older run of a delivering branch is cancelled before its rollout".to_owned())
        }
    };
    let drafts = match plan.drafts {
        Drafts::Test => None,
        Drafts::Skip => Some("drafts are skipped until they are ready for review".to_owned()),
    };
    let together = |group: &Vec<ServiceName>| {
        format!("in one build: {}", group.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", "))
    };
    let shared = plan.shared_builds.iter().map(together);
    let lines: Vec<String> = builds.into_iter().chain(shared).chain(older).chain(drafts).collect();
    if !lines.is_empty() {
        output::title("run");
        for line in &lines {
            output::detail(line);
        }
    }
    if !plan.notes.is_empty() {
        output::title("notes");
        plan.notes.iter().for_each(|note| output::detail(note));
    }
}

/// What a branch that the operator delivers goes through; any other ends after the tests.
fn show_service(service: &ServiceSpec) {
    output::title(service.name.as_str());
    if let Some(test) = &service.test {
        let base = if test.not_below_base { ", and not below the base's" } else { "" };
        let coverage = test.coverage.map(|percent| format!(" (coverage at least {percent} %{base})"));
        line(Stage::Test.as_str(), &format!("{}{}", test.command, coverage.unwrap_or_default()));
        show_details(&service.reads, &joined(&test.reports), &test.build);
    }
    if let Some(image) = &service.image {
        line(Stage::Build.as_str(), &format!("{} from {}", image.repository, image.dockerfile));
    }
    line(Stage::Deploy.as_str(), &source_of(service));
    if !service.values.is_empty() {
        let names: Vec<&str> = service.values.keys().map(String::as_str).collect();
        line("values", &names.join(", "));
    }
    if let Some(health) = &service.health {
        line(Stage::Verify.as_str(), &format!("{}:{}{}", health.service, health.port, health.path));
    }
}

/// Where its manifests come from.
fn source_of(service: &ServiceSpec) -> String {
    match &service.rendering {
        None => joined(&service.manifests),
        Some(Rendering::Kustomize { folder }) => format!("what Kustomize makes of {folder}"),
        Some(Rendering::Helm { chart, release, values }) => {
            let values = if values.is_empty() { String::new() } else { format!(" with {}", joined(values)) };
            format!("what Helm makes of {chart}, as release {release}{values}")
        }
    }
}

fn show_checks(checks: &ChecksSpec) {
    output::title("checks");
    for (tool, folders) in [("flake8", &checks.flake8), ("bandit", &checks.bandit)] {
        if !folders.is_empty() {
            line(tool, &joined(folders));
        }
    }
    if let Some(command) = &checks.command {
        line("command", command);
    }
    match checks.severity {
        Severity::Medium => {}
        Severity::Low => line("fails", "from low severity on"),
        Severity::High => line("fails", "from high severity on"),
    }
    show_details(&checks.reads, &joined(&checks.reports), &checks.build);
}

fn show_integration(integration: &IntegrationSpec) {
    output::title("integration");
    for service in &integration.services {
        let ready = format!("ready at port {}, {}", service.port, service.ready);
        line("starts", &format!("{}: {} ({ready})", service.name, service.start));
    }
    line(Stage::Test.as_str(), &integration.command);
    show_details(&integration.reads, &joined(&integration.reports), &integration.build);
}

/// What a test reads and leaves, and what of its build the file sets.
fn show_details(reads: &Reads, reports: &str, build: &BuildSettings) {
    line("reads", &shown(reads));
    if !reports.is_empty() {
        line("reports", reports);
    }
    let settings = [
        build.image.clone(),
        build.compute.map(|compute| format!("a {} machine", word(compute))),
        build.timeout.map(|minutes| format!("at most {minutes} minutes")),
        (build.retries > 0).then(|| format!("a failed test is tried {} more times", build.retries)),
        names("variables", build.environment.keys()),
        names("secrets", build.secrets.keys()),
    ];
    let settings: Vec<String> = settings.into_iter().flatten().collect();
    if !settings.is_empty() {
        line("runs in", &settings.join("; "));
    }
}

/// `backend/chat, the files of ., backend`
fn shown(reads: &Reads) -> String {
    let few = |paths: &[String]| {
        let shown: Vec<String> =
            paths.iter().take(MOST_PATHS).map(|path| path.chars().map(visible).collect()).collect();
        let more = match paths.len().saturating_sub(MOST_PATHS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        shown.join(", ") + &more
    };
    if reads.paths.iter().any(|path| path == ".") {
        return "everything".to_owned();
    }
    let files = if reads.files_in.is_empty() {
        String::new()
    } else {
        format!("the files directly in {}", few(&reads.files_in))
    };
    let parts = [few(&reads.paths), files];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// As the file has it.
fn word(compute: Compute) -> &'static str {
    match compute {
        Compute::Small => "small",
        Compute::Medium => "medium",
        Compute::Large => "large",
        Compute::Xlarge => "xlarge",
        Compute::Xxlarge => "2xlarge",
    }
}

fn names<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Option<String> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
}

fn line(what: &str, text: &str) {
    output::detail(&format!("{what:<8} {text}"));
}
