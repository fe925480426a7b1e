//! `cargo xtask images`: container images as OCI archives, built without a daemon and kept by their content.

mod buildah;
mod catalog;
mod context;
mod programs;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use epiphyte_testbed::cache::Key;
use indicatif::HumanBytes;

pub use catalog::Image;

use self::buildah::Buildah;
use self::context::{digest, lay_out};
use crate::program::Profile;
use crate::step::{Outcome, Step, headline, say};

/// How long an archive stays that nobody asks for any more.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Builds images, or lays out their contexts in a folder for another tool to build.
pub fn run(images: &[Image], contexts: Option<&Path>) -> Result<()> {
    let images = if images.is_empty() { Image::value_variants() } else { images };
    if let Some(folder) = contexts {
        return Workshop::open()?.lay_out(images, folder);
    }
    headline("Images");
    let folder = build(images, Profile::Release)?;
    say(format!("\nThe archives are in {}", folder.display()));
    Ok(())
}

/// Builds images where the cache has none of their content; gives a folder that has the archive of each as `<name>.tar`.
///
/// # Errors
/// Something that an image is made of cannot be had.
pub fn build(images: &[Image], profile: Profile) -> Result<PathBuf> {
    let workshop = Workshop::open()?;
    let mut archives = Vec::new();
    for &image in images {
        let mut step = Step::start(image.reference());
        let built = workshop.build(&mut step, image, profile);
        match &built {
            Ok((archive, how)) => {
                step.end(Outcome::Ok, &format!("{how}, {}{}", size(archive), over(image, archive, profile)));
            }
            Err(_) => step.end(Outcome::Failed, ""),
        }
        archives.push((image, built?.0));
    }
    workshop.gather(&archives)
}

/// Where images are built, by one process at a time.
struct Workshop {
    /// The cache folder.
    cache: PathBuf,
    /// Gone when the next one is opened.
    scratch: PathBuf,
    /// Held as long as this value lives.
    _lock: File,
}

impl Workshop {
    fn open() -> Result<Self> {
        let cache = epiphyte_testbed::cache::folder()?;
        let (images, scratch) = (cache.join("images"), cache.join("images/.scratch"));
        fs::create_dir_all(&images).with_context(|| format!("cannot create {}", images.display()))?;
        let lock = File::create(images.join(".lock"))?;
        lock.lock().context("cannot wait for others that build images")?;
        if scratch.exists() {
            fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
        }
        fs::create_dir(&scratch)?;
        Ok(Self { cache, scratch, _lock: lock })
    }

    /// The archive of an image, and how it was come by.
    fn build(&self, step: &mut Step, image: Image, profile: Profile) -> Result<(PathBuf, &'static str)> {
        let parts = image.parts(step, profile)?;
        let archive = self.cache.join("images").join(format!("{image}-{}.tar", digest(&image.full_name(), &parts)?));
        if let Ok(file) = File::options().append(true).open(&archive) {
            // Those that are in use are kept.
            file.set_modified(SystemTime::now())?;
            return Ok((archive, "cached"));
        }
        let scratch = tempfile::tempdir_in(&self.scratch)?;
        let (context, built) = (scratch.path().join("context"), scratch.path().join("image.tar"));
        lay_out(step, &parts, &context)?;
        let buildah = Buildah::get(step)?;
        buildah.build(step, &context, scratch.path(), &image.full_name(), &built)?;
        fs::rename(&built, &archive)?;
        remove_old(&self.cache.join("images"), &format!("{image}-"))?;
        Ok((archive, "built"))
    }

    /// A folder that has archives by their plain names.
    fn gather(&self, archives: &[(Image, PathBuf)]) -> Result<PathBuf> {
        let mut names = Key::default();
        archives.iter().for_each(|(_, archive)| names.add(archive.as_os_str().as_encoded_bytes()));
        let folder = self.cache.join(format!("images-{}", names.finish()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        File::open(&folder)?.set_modified(SystemTime::now())?;
        for (image, archive) in archives {
            let name = folder.join(format!("{image}.tar"));
            if !name.exists() {
                fs::hard_link(archive, &name).with_context(|| format!("cannot link {}", name.display()))?;
            }
        }
        remove_old(&self.cache, "images-")?;
        Ok(folder)
    }

    fn lay_out(&self, images: &[Image], folder: &Path) -> Result<()> {
        headline("Contexts");
        for image in images {
            let mut step = Step::start(image.reference());
            let parts = image.parts(&mut step, Profile::Release)?;
            let context = folder.join(image.as_str());
            ensure!(!context.exists(), "{} is there already", context.display());
            lay_out(&mut step, &parts, &context)?;
            step.end(Outcome::Ok, &format!("docker build --tag {} {}", image.reference(), context.display()));
        }
        Ok(())
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What stays is removed when the next one opens.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// Removes what was not asked for in a while, so that the cache does not grow with every change.
fn remove_old(folder: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let old = entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > KEPT);
        if old && entry.file_name().to_string_lossy().starts_with(prefix) {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// Says that an image as it is shipped is larger than its budget.
fn over(image: Image, archive: &Path, profile: Profile) -> String {
    let bytes = fs::metadata(archive).map_or(0, |file| file.len());
    match image.budget() {
        Some(budget) if profile == Profile::Release && bytes > budget => {
            format!(", more than its budget of {}", HumanBytes(budget))
        }
        _ => String::new(),
    }
}

/// The size of a file, for people.
fn size(path: &Path) -> HumanBytes {
    HumanBytes(fs::metadata(path).map_or(0, |file| file.len()))
}
