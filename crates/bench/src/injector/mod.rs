//! The preload library: the file, and what it adds to the start of programs.

mod library;
mod stage;
mod starts;

use std::path::Path;

use anyhow::Result;

use crate::report::Row;
use crate::runtimes::{Runtime, on_path};
use stage::{End, Stage, Subject};

const PART: &str = "injector";

/// Measures.
pub(crate) fn measure(library: &Path) -> Result<Vec<Row>> {
    let stage = Stage::new(library)?;
    let mut rows = library::rows(library)?;
    for subject in subjects(&stage)? {
        crate::say(&format!("injector: starting {}", subject.title));
        rows.extend(starts::rows(&stage, &subject)?);
    }
    Ok(rows)
}

/// What is started: a program of C under a name that the library passes over and under one that it serves, then the runtimes.
fn subjects(stage: &Stage) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    if let Some(program) = on_path("true") {
        for (title, name, is_served) in [("C, not served", "till", false), ("C, served", "node", true)] {
            let program = stage.copy(&program, &format!("bin/{name}"))?;
            subjects.push(Subject { title, program, is_served, end: End::Own });
        }
    }
    let Some(compiler) = on_path("cc") else { return Ok(subjects) };
    let end = stage.compile(&compiler, concat!(env!("CARGO_MANIFEST_DIR"), "/programs/end.c"), "end.so")?;
    for runtime in Runtime::ALL {
        if let Some(program) = runtime.program()? {
            let end = End::Before(end.clone());
            subjects.push(Subject { title: runtime.name(), program, is_served: true, end });
        }
    }
    Ok(subjects)
}
