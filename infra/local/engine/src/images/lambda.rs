//! The image that `sam local` runs functions in.

use std::path::Path;

use anyhow::bail;

use super::{RECIPE, build_from_text, ensure_python, fingerprint, has_recipe, registry_answers};
use crate::{Engine, Progress};

/// Where AWS keeps its images.
const REGISTRY: &str = "public.ecr.aws";
/// What stands in for them.
const DOCKERFILE: &str = include_str!("../../../../sam/Dockerfile");

/// Makes sure that the engine holds the image `sam local` asks for, and gives back its name: the one of AWS where
/// it can be pulled, else one made here under the same name.
///
/// # Errors
/// When there is neither a registry nor a way to make the image here.
pub async fn ensure_lambda(
    engine: &Engine,
    cache_dir: &Path,
    progress: Progress<'_>,
) -> anyhow::Result<String> {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let image = format!("{REGISTRY}/lambda/provided:al2023-{architecture}");
    if has_recipe(engine, &image, &recipe()).await || is_from_aws(engine, &image).await {
        return Ok(image);
    }
    let why = match registry_answers(REGISTRY).await {
        Ok(()) => {
            progress(&format!("image of the functions: pulling {image}"));
            match engine.output(&["pull", "--quiet", &image]).await {
                Ok(_) => return Ok(image),
                Err(error) => format!("it cannot be pulled: {error:#}"),
            }
        }
        Err(error) => format!("no image registry: {error:#}"),
    };
    let base = ensure_python(engine, cache_dir, progress).await?;
    progress(&format!("image of the functions: {image} made from {base} ({why})"));
    let mut build = engine.command();
    build.args(["build", "--tag", &image]);
    build.args(["--label", &format!("{RECIPE}={}", recipe())]);
    build.args(["--build-arg", &format!("BASE_IMAGE={base}")]);
    if let Err(complaint) = build_from_text(build, DOCKERFILE).await? {
        bail!("the image {image} cannot be built:\n{complaint}");
    }
    Ok(image)
}

fn recipe() -> String {
    fingerprint(&[DOCKERFILE])
}

/// Whether the image is there and was not made here, by an older recipe.
async fn is_from_aws(engine: &Engine, image: &str) -> bool {
    let format = format!("{{{{index .Config.Labels \"{RECIPE}\"}}}}");
    engine.output(&["image", "inspect", "--format", &format, image]).await.is_ok_and(|label| label.is_empty())
}
