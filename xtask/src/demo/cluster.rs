//! The demo's cluster: a control plane and `kubectl`, through which everything is done that a person would do.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use epiphyte_testbed::ControlPlane;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::repository;
use crate::step::{Outcome, Step};

/// How long anything awaited may take: many times what it does take, for machines that are busy.
const DEADLINE: Duration = Duration::from_secs(180);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A control plane and the ways to work with it.
pub struct Cluster {
    pub plane: ControlPlane,
}

impl Cluster {
    /// Runs `kubectl` with what a person would type, and returns what it says.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_reading(arguments, "")
    }

    /// The same with something on its standard input.
    pub fn kubectl_reading(&self, arguments: &[&str], input: &str) -> Result<String> {
        Ok(self.plane.kubectl_with(arguments, input)?)
    }

    /// Applies a file of the repository.
    pub fn apply(&self, file: &str) -> Result<()> {
        self.kubectl(&["apply", &filename(file)]).map(drop)
    }

    /// Applies a file of the repository with the objects of another in the place of their namesakes, as somebody does who
    /// installs with settings of their own.
    pub fn apply_with(&self, file: &str, own: &str) -> Result<()> {
        let id = |object: &Value| ["/kind", "/metadata/name"].map(|pointer| object.pointer(pointer).cloned());
        let own = objects(own)?;
        let mut all = objects(file)?;
        all.retain(|object| own.iter().all(|own| id(own) != id(object)));
        all.extend(own);
        // A pod has to find the settings that it is to have.
        all.sort_by_key(|object| object.get("kind").is_some_and(|kind| kind == "Deployment"));
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": all });
        self.kubectl_reading(&["apply", "--server-side", "--filename=-"], &list.to_string()).map(drop)
    }

    /// Writes the status that the objects of a file show, as whoever owns it would.
    pub fn apply_status(&self, file: &str) -> Result<()> {
        let apply = ["apply", "--server-side", "--subresource=status", "--filename=-"];
        for object in objects(file)?.iter().filter(|object| object.get("status").is_some()) {
            self.kubectl_reading(&apply, &object.to_string())?;
        }
        Ok(())
    }

    /// The objects of some kinds in all namespaces.
    pub fn list(&self, kinds: &str) -> Result<Vec<Value>> {
        let said = self.kubectl(&["get", kinds, "--all-namespaces", "--output=json"])?;
        let mut list: Value = serde_json::from_str(&said).context("kubectl printed no JSON")?;
        match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => bail!("kubectl printed no list"),
        }
    }
}

/// The argument of `kubectl` that names a file of the repository.
pub fn filename(file: &str) -> String {
    format!("--filename={}", repository::root().join(file).display())
}

/// The objects of a YAML file of the repository.
pub fn objects(file: &str) -> Result<Vec<Value>> {
    let path = repository::root().join(Path::new(file));
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
    let documents = yaml_serde::Deserializer::from_str(&text).map(Value::deserialize);
    let objects: Vec<_> = documents.collect::<Result<_, _>>().with_context(|| format!("{file} is not YAML"))?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

/// Does something as a step of its own.
pub fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let step = Step::start(title);
    let done = work();
    step.end_as(&done);
    done.with_context(|| format!("did not manage: {title}"))
}

/// Waits until something is as expected; a look tells what is missing, or gives what was looked for.
pub fn comes_true<T>(title: &str, mut look: impl FnMut() -> Result<Result<T, String>>) -> Result<T> {
    let started = Instant::now();
    let mut step = Step::start(title);
    loop {
        match look() {
            Ok(Ok(found)) => {
                step.end(Outcome::Ok, "");
                return Ok(found);
            }
            Ok(Err(missing)) if started.elapsed() < DEADLINE => {
                step.at(&missing);
                std::thread::sleep(LOOK_EVERY);
            }
            Ok(Err(missing)) => {
                step.end(Outcome::Failed, "");
                bail!("expected: {title}\n  but after {DEADLINE:?}: {missing}");
            }
            Err(error) => {
                step.end(Outcome::Failed, "");
                return Err(error.context(format!("expected: {title}")));
            }
        }
    }
}
