//! Builds a Go program once for each content of its module.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::progress::Progress;
use crate::cache::{self, Key};
use crate::{Error, Result};

/// The last lines of the compiler's output that an error shows.
const SHOWN_LINES: usize = 40;

/// A program of a Go module of this repository.
#[derive(Debug, Clone)]
pub struct GoProgram {
    module_dir: PathBuf,
    package: String,
    output: String,
    ldflags: String,
    links: Vec<String>,
    beside: Vec<PathBuf>,
    hint: String,
}

impl GoProgram {
    /// The program in the root package of a module, and the file name it gets.
    pub fn new(module_dir: impl Into<PathBuf>, output: impl Into<String>) -> Self {
        Self {
            module_dir: module_dir.into(),
            package: ".".to_owned(),
            output: output.into(),
            ldflags: String::new(),
            links: Vec::new(),
            beside: Vec::new(),
            hint: String::new(),
        }
    }

    /// Another package of the module, or of one that it requires.
    #[must_use]
    pub fn package(mut self, package: impl Into<String>) -> Self {
        self.package = package.into();
        self
    }

    /// Flags for the linker.
    #[must_use]
    pub fn ldflags(mut self, ldflags: impl Into<String>) -> Self {
        self.ldflags = ldflags.into();
        self
    }

    /// Further names for the program, which it tells apart itself.
    #[must_use]
    pub fn links<I: IntoIterator<Item: Into<String>>>(mut self, links: I) -> Self {
        self.links = links.into_iter().map(Into::into).collect();
        self
    }

    /// Another module of this repository, which the program's module takes from there.
    #[must_use]
    pub fn beside(mut self, module_dir: impl Into<PathBuf>) -> Self {
        self.beside.push(module_dir.into());
        self
    }

    /// What to tell people about the time that the build takes.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The folder with the program and its further names; builds it first where the cache has none of this content.
    ///
    /// # Errors
    /// When Go is missing, the module does not build, or the cache cannot be written.
    pub fn build(&self) -> Result<PathBuf> {
        self.build_in(&cache::folder()?.join("programs"))
    }

    fn build_in(&self, cache: &Path) -> Result<PathBuf> {
        cache::once(cache, &self.output, &self.key()?, |folder| self.compile(folder))
    }

    fn compile(&self, folder: &Path) -> Result<()> {
        let mut command = Command::new("go");
        command.args(["build", "-v", "-trimpath", "-ldflags", &self.ldflags, "-o"]);
        command.arg(folder.join(&self.output)).arg(&self.package);
        // No VCS stamp: the content is the key, not the commit.
        command.current_dir(&self.module_dir).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly -buildvcs=false");
        self.run(command)?;
        for name in &self.links {
            let link = folder.join(name);
            std::os::unix::fs::symlink(&self.output, &link).map_err(Error::file("link", link))?;
        }
        Ok(())
    }

    fn run(&self, mut command: Command) -> Result<()> {
        let go = |source| Error::Go { module: self.module_dir.clone(), source };
        let hint = if self.hint.is_empty() { String::new() } else { format!(" ({})", self.hint) };
        let mut progress = Progress::start(format!("building {}{hint}", self.output));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(go)?;
        let (mut packages, mut said) = (0, Vec::new());
        for line in child.stderr.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            let line = line.map_err(go)?;
            packages += 1;
            progress.at(&format!("{packages} packages, now {line}"));
            said.push(line);
        }
        let status = child.wait().map_err(go)?;
        if status.success() {
            progress.done();
            return Ok(());
        }
        let output = said.split_off(said.len().saturating_sub(SHOWN_LINES)).join("\n");
        let command = command.get_args().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
        Err(Error::GoBuild { module: self.module_dir.clone(), command, status: status.to_string(), output })
    }

    /// A digest of everything that decides what comes out.
    fn key(&self) -> Result<String> {
        let output = Command::new("go")
            .arg("version")
            .current_dir(&self.module_dir)
            .output()
            .map_err(|source| Error::Go { module: self.module_dir.clone(), source })?;
        let mut key = Key::default();
        key.add(&output.stdout);
        key.add(self.package.as_bytes());
        key.add(self.ldflags.as_bytes());
        key.add(self.links.join(" ").as_bytes());
        for module in std::iter::once(&self.module_dir).chain(&self.beside) {
            let mut files = Vec::new();
            sources(module, &mut files)?;
            files.sort();
            for file in files {
                key.add(file.strip_prefix(module).unwrap_or(&file).as_os_str().as_encoded_bytes());
                key.add(&fs::read(&file).map_err(Error::file("read", &file))?);
            }
        }
        Ok(key.finish())
    }
}

/// The files of a module that its programs are made of; a folder with a `go.mod` of its own is another module.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let entry = entry.map_err(Error::file("read", folder))?;
        let path = entry.path();
        if path.is_dir() {
            if !path.join("go.mod").exists() {
                sources(&path, found)?;
            }
        } else if path.extension().is_some_and(|e| e == "go") || path.ends_with("go.mod") || path.ends_with("go.sum") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(module: &Path, text: &str) {
        fs::write(module.join("go.mod"), "module example\n\ngo 1.24.0\n").unwrap();
        let source = format!("package main\n\nfunc main() {{ print({text:?}) }}\n");
        fs::write(module.join("main.go"), source).unwrap();
    }

    #[test]
    fn a_program_is_built_once_for_each_content_and_answers_to_all_its_names() {
        let (module, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let program = GoProgram::new(module.path(), "hello").links(["other-name"]);
        write(module.path(), "one");
        let one = program.build_in(cache.path()).unwrap();
        let built = fs::metadata(one.join("hello")).unwrap().modified().unwrap();
        assert_eq!(program.build_in(cache.path()).unwrap(), one);
        assert_eq!(fs::metadata(one.join("hello")).unwrap().modified().unwrap(), built);

        write(module.path(), "two");
        let two = program.build_in(cache.path()).unwrap();
        assert_ne!(one, two);
        for (entry, said) in [(one, "one"), (two, "two")] {
            let output = Command::new(entry.join("other-name")).output().unwrap();
            assert_eq!(String::from_utf8(output.stderr).unwrap(), said);
        }
    }

    #[test]
    fn a_change_of_a_module_beside_it_is_another_content() {
        let (module, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(module.path(), "one");
        let program = GoProgram::new(module.path(), "hello").beside(beside.path());
        let keys = ["one", "two"].map(|text| {
            write(beside.path(), text);
            program.key().unwrap()
        });
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn what_does_not_compile_says_why_and_leaves_no_entry() {
        let (module, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(module.path(), "one");
        fs::write(module.path().join("broken.go"), "package main\n\nvar x = undefinedName\n").unwrap();
        let program = GoProgram::new(module.path(), "hello");
        let error = program.build_in(cache.path()).unwrap_err().to_string();
        assert!(error.contains("undefinedName"), "{error}");
        assert!(!cache.path().join(format!("hello-{}", program.key().unwrap())).exists());
    }
}
