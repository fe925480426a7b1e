//! A file of the manager's, looked at every second. By its contents: inotify does not tell of every volume's changes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::input::{InputError, Read, Refused};
use crate::metrics::Metrics;

/// The largest file that is read. Ten thousand namespaces take a tenth of that.
const LARGEST: u64 = 16 << 20;

/// How many refused entries are told one by one.
const TOLD: usize = 20;

/// A file that is read again when it has changed.
pub(crate) struct Watched {
    path: PathBuf,
    /// Its name in logs and metrics.
    name: &'static str,
    /// Digest of what was made out last, or could not be.
    seen: Option<[u8; 32]>,
    /// The last failure to read it that was told.
    told: Option<String>,
    metrics: Metrics,
}

impl Watched {
    pub(crate) fn new(path: PathBuf, name: &'static str, metrics: Metrics) -> Self {
        Self { path, name, seen: None, told: None, metrics }
    }

    /// What the file says, if that is something else than before and could be made out. What could not is told once, and what
    /// was said before goes on to count.
    pub(crate) fn changed<T>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<Read<T>, InputError>,
        count: impl FnOnce(&T) -> usize,
    ) -> Option<T> {
        let contents = match self.read() {
            Ok(contents) => contents,
            Err(error) => {
                self.tell(&error.to_string());
                return None;
            }
        };
        self.told = None;
        let digest: [u8; 32] = Sha256::digest(&contents).into();
        if self.seen == Some(digest) {
            return None;
        }
        self.seen = Some(digest);
        match parse(&contents) {
            Ok(Read { served, refused }) => {
                self.metrics.read(self.name, count(&served), refused.len());
                self.tell_refused(&refused);
                Some(served)
            }
            Err(error) => {
                self.metrics.unreadable(self.name);
                warn!(file = self.name, %error, "the file says nothing that could be made out; what it said before counts");
                None
            }
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        File::open(&self.path)?.take(LARGEST + 1).read_to_end(&mut contents)?;
        if contents.len() as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {LARGEST} bytes")));
        }
        Ok(contents)
    }

    fn tell(&mut self, error: &str) {
        if self.told.as_deref() != Some(error) {
            warn!(file = self.name, path = %self.path.display(), error, "cannot read the manager's file; what it said before counts");
            self.told = Some(error.to_owned());
        }
    }

    fn tell_refused(&self, refused: &[Refused]) {
        for Refused { entry, why } in refused.iter().take(TOLD) {
            warn!(file = self.name, entry, why, "an entry does not count");
        }
        if let Some(more) = refused.len().checked_sub(TOLD).filter(|more| *more > 0) {
            warn!(file = self.name, more, "further entries do not count");
        }
    }
}
