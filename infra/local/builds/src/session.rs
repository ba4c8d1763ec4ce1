//! The shell session of a phase: its commands one after another, in the environment the phase before left.

use crate::build::now;

/// Everything that belongs to a build lies below this folder of its container.
const FOLDER: &str = "/codebuild/output/tmp";
const ENVIRONMENT: &str = "/codebuild/output/tmp/environment";
const DIRECTORY: &str = "/codebuild/output/tmp/directory";
const CURRENT: &str = "/codebuild/output/tmp/current";

/// CodeBuild's own programs, for the keys of caches.
const PROGRAMS: &str = "/codebuild/readonly/bin";
/// The SHA-256 of the files that the patterns name.
const HASH_FILES: &str = "#!/bin/sh
for pattern in \"$@\"; do
  for file in $pattern; do
    [ ! -f \"$file\" ] || cat \"$file\"
  done
done | sha256sum | cut -d ' ' -f 1
";

/// The folder that the source is unpacked to.
pub(crate) const SOURCE: &str = "/codebuild/output/src/src";
/// Where this machine's certificate authorities are put.
pub(crate) const AUTHORITIES: &str = "/codebuild/readonly/ca-bundle.pem";

/// Files for a container, collected as one tar archive.
pub(crate) struct Files(tar::Builder<Vec<u8>>);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Adds a file by its absolute path.
    pub(crate) fn add(&mut self, path: &str, mode: u32, content: &[u8]) -> anyhow::Result<()> {
        let mut header = header(mode);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, path.trim_start_matches('/'), content)?;
        Ok(())
    }

    /// Adds a folder by its absolute path.
    pub(crate) fn add_folder(&mut self, path: &str) -> anyhow::Result<()> {
        let mut header = header(0o755);
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        self.0.append_data(&mut header, path.trim_start_matches('/'), std::io::empty())?;
        Ok(())
    }

    /// Adds a symbolic link by its absolute path.
    pub(crate) fn add_link(&mut self, path: &str, target: &str) -> anyhow::Result<()> {
        let mut header = header(0o777);
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        self.0.append_link(&mut header, path.trim_start_matches('/'), target)?;
        Ok(())
    }

    pub(crate) fn finish(self) -> anyhow::Result<Vec<u8>> {
        Ok(self.0.into_inner()?)
    }
}

fn header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds after 1970")]
    header.set_mtime(now() as u64);
    header
}

/// The state that the first phase starts from. Variables come by a file, and not by the container's settings,
/// where anybody who may ask the engine would read the secrets among them.
pub(crate) fn add_start(files: &mut Files, variables: &[(String, String)]) -> anyhow::Result<()> {
    let named = variables.iter().filter(|(name, _)| is_name(name));
    let lines: Vec<String> = named.map(|(name, value)| format!("export {name}={}\n", quote(value))).collect();
    files.add(ENVIRONMENT, 0o600, lines.concat().as_bytes())?;
    files.add(&format!("{PROGRAMS}/codebuild-hash-files"), 0o755, HASH_FILES.as_bytes())?;
    files.add(DIRECTORY, 0o644, SOURCE.as_bytes())
}

/// One run of commands: its files, and the path of the script that runs them.
pub(crate) fn script(name: &str, commands: &[String], succeeding: bool) -> anyhow::Result<(Vec<u8>, String)> {
    let mut files = Files::new();
    // `set -a` carries every variable that a command sets into the next phase, as CodeBuild's one shell does.
    let mut script = format!(
        "exec 2>&1 </dev/null\nset -a\n. {ENVIRONMENT}\ncd \"$(cat {DIRECTORY})\" || exit 1\n\
         CODEBUILD_BUILD_SUCCEEDING={}\n\
         trap 'CODEBUILD_LAST_EXIT=$?; export -p >{ENVIRONMENT}; pwd >{DIRECTORY}; exit $CODEBUILD_LAST_EXIT' EXIT\n",
        u8::from(succeeding)
    );
    for (index, command) in commands.iter().enumerate() {
        let file = format!("{FOLDER}/{name}-{index:03}");
        files.add(&file, 0o644, command.as_bytes())?;
        // No `|| exit` behind the command: it would switch off a `set -e` inside.
        let lines = format!(
            "echo {index} >{CURRENT}\nprintf '[Container] %s Running command %s\\n' \"$(date '+%Y/%m/%d %H:%M:%S')\" \
             \"$(cat {file})\"\neval \"$(cat {file})\"\nCODEBUILD_LAST_EXIT=$?\n\
             [ \"$CODEBUILD_LAST_EXIT\" = 0 ] || exit \"$CODEBUILD_LAST_EXIT\"\n"
        );
        script.push_str(&lines);
    }
    let path = format!("{FOLDER}/{name}.sh");
    files.add(&path, 0o755, script.as_bytes())?;
    Ok((files.finish()?, path))
}

/// The command that prints the number of the command that ran last.
pub(crate) fn current() -> [&'static str; 2] {
    ["cat", CURRENT]
}

/// A script that prints its first argument with everything that the shell fills in, where the source lies.
pub(crate) fn print_filled() -> String {
    format!(
        ". {ENVIRONMENT}\nPATH={PROGRAMS}:$PATH\ncd {SOURCE} || exit 1\neval \"printf '%s' \\\"$1\\\"\"\n"
    )
}

/// A script that prints the values of `names`, each ended by a zero byte.
pub(crate) fn print_variables(names: &[String]) -> String {
    let mut script = format!(". {ENVIRONMENT}\n");
    for name in names {
        let value = if is_name(name) { format!("\"${{{name}-}}\"") } else { "''".to_owned() };
        script.extend(["printf '%s\\0' ", &value, "\n"]);
    }
    script
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}
