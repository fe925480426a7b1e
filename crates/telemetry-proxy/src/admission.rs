//! Keeps the list of the tokens that *traffic* admits as the manager's file says. The Collector reads it again by itself, so that
//! a namespace comes and goes without a restart of anything.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use epiphyte_daemon::file;
use tokio::sync::watch;
use tokio::time::{Instant, interval};
use tracing::warn;

use crate::health::Canary;
use crate::input::{self, Token};
use crate::watched::Watched;

/// How often the manager's file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes the list.
pub(crate) struct Admission {
    pub(crate) file: Watched,
    /// Where the list goes.
    pub(crate) admitted: PathBuf,
    pub(crate) canary: watch::Sender<Option<Canary>>,
}

impl Admission {
    /// Goes on for as long as it is polled.
    pub(crate) async fn run(mut self) {
        // Until the manager has said anything nobody is admitted, which it has to be said too.
        let mut due = Some(BTreeSet::new());
        let mut told = false;
        let mut ticks = interval(INTERVAL);
        loop {
            ticks.tick().await;
            if let Some(tokens) = self.file.changed(input::tokens, BTreeSet::len) {
                due = Some(tokens);
            }
            let Some(tokens) = &due else { continue };
            match self.write(tokens) {
                Ok(()) => (due, told) = (None, false),
                Err(error) if !told => {
                    warn!(%error, "cannot write the list of tokens; trying again");
                    told = true;
                }
                Err(_) => {}
            }
        }
    }

    fn write(&self, tokens: &BTreeSet<Token>) -> std::io::Result<()> {
        let token: Arc<str> = random()?.into();
        let previous = self.canary.borrow().as_ref().map_or_else(|| Arc::clone(&token), |held| Arc::clone(&held.token));
        let mut list = format!("{token}\n{previous}\n");
        for token in tokens {
            list.push_str(token.expose());
            list.push('\n');
        }
        file::replace(&self.admitted, list.as_bytes())?;
        self.canary.send_replace(Some(Canary { token, previous, since: Instant::now() }));
        Ok(())
    }
}

/// A word that nobody guesses.
fn random() -> std::io::Result<String> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().fold("epiphyte-".to_owned(), |mut word, byte| {
        // Writing to a string cannot fail.
        let _ = write!(word, "{byte:02x}");
        word
    }))
}
