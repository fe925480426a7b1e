//! The files by which the telemetry proxy learns which namespaces and which tokens count. Written by every replica, each for
//! the proxy beside it.

use std::path::PathBuf;
use std::time::Duration;

use epiphyte_api::names::TOKENS_FILE;
use epiphyte_daemon::Ready;
use epiphyte_daemon::file::replace;
use serde::Serialize;
use tracing::{info, warn};

use super::tokens::Tokens;
use crate::SharedIndex;
use crate::index::{Index, LumigoRecord};
use crate::metrics::Metrics;

/// How often it is looked whether a file is due.
const TICK: Duration = Duration::from_millis(500);

/// A namespace whose Kubernetes Events are wanted (Lumigo operator, namespaces file).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Monitored<'a> {
    name: &'a str,
    uid: &'a str,
    token: String,
}

/// What the files are to hold.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    /// Of the file with the namespaces.
    namespaces: Vec<u8>,
    /// Of the file with the tokens.
    tokens: Vec<u8>,
}

/// Writes the files.
pub(crate) struct Files {
    pub(crate) index: SharedIndex,
    pub(crate) tokens: Tokens,
    /// Where the namespaces are written; the tokens go beside it.
    pub(crate) path: PathBuf,
    pub(crate) metrics: Metrics,
}

impl Files {
    /// Writes what has changed, for as long as it is polled, once every first list is in.
    pub(crate) async fn run(self, synced: Ready) {
        synced.wait().await;
        let tokens_path = self.path.with_file_name(TOKENS_FILE);
        let (mut namespaces, mut tokens) = (Written::at(self.path.clone()), Written::at(tokens_path));
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            // What the last run left stays until every Secret was asked for: a restart takes nobody off.
            let Some(wanted) = contents(&self.index.read(), &self.tokens) else { continue };
            namespaces.keep(wanted.namespaces, &self.metrics);
            tokens.keep(wanted.tokens, &self.metrics);
        }
    }
}

/// A file, and what was last written to it.
struct Written {
    path: PathBuf,
    held: Vec<u8>,
    /// The last failure that was told.
    told: Option<String>,
}

impl Written {
    fn at(path: PathBuf) -> Self {
        Self { path, held: Vec::new(), told: None }
    }

    /// Writes the file if it does not hold this yet, or is gone.
    fn keep(&mut self, wanted: Vec<u8>, metrics: &Metrics) {
        if self.held == wanted && self.path.exists() {
            return;
        }
        match replace(&self.path, &wanted) {
            Ok(()) => {
                info!(path = %self.path.display(), "wrote what the telemetry proxy is to know");
                metrics.written("file", "written");
                (self.held, self.told) = (wanted, None);
            }
            Err(error) => {
                metrics.written("file", "failed");
                let text = error.to_string();
                if self.told.as_ref() != Some(&text) {
                    warn!(path = %self.path.display(), error = %text, "cannot tell the telemetry proxy which namespaces count; trying again");
                    self.told = Some(text);
                }
            }
        }
    }
}

/// What the files are to hold; `None` while a Secret was not asked for yet.
fn contents(index: &Index, tokens: &Tokens) -> Option<Contents> {
    let is_active = |lumigo: &&LumigoRecord| index.counts(lumigo) && lumigo.fact.active && !lumigo.fact.deleting;
    let mut namespaces = Vec::new();
    let mut all = std::collections::BTreeSet::new();
    for lumigo in index.lumigoes().filter(is_active) {
        let Some(reference) = &lumigo.fact.token else { continue };
        let state = tokens.get(&lumigo.namespace, reference)?;
        let (Some(token), Some(uid)) = (state.token(), index.namespace_uid(&lumigo.namespace)) else { continue };
        if lumigo.wants_events {
            namespaces.push(Monitored { name: &lumigo.namespace, uid, token: token.expose().to_owned() });
        }
        all.insert(token.expose().to_owned());
    }
    namespaces.sort_unstable();
    // A list of texts is always JSON.
    let json = |value: serde_json::Result<Vec<u8>>| value.ok();
    Some(Contents { namespaces: json(serde_json::to_vec(&namespaces))?, tokens: json(serde_json::to_vec(&all))? })
}

#[cfg(test)]
mod tests {
    use epiphyte_api::{Reason, Token};
    use epiphyte_plan::{LumigoFact, TokenRef};
    use jiff::Timestamp;

    use super::*;
    use crate::index::{Fact as _, NamespaceRecord};
    use crate::lumigo::token::TokenState;
    use crate::settings::Settings;

    fn token() -> TokenRef {
        TokenRef { name: "credentials".into(), key: "token".into() }
    }

    fn good(digit: char) -> TokenState {
        let text = format!("t_{}", digit.to_string().repeat(21));
        Token::parse(text.as_bytes()).map(TokenState::Good).expect("a token")
    }

    fn put(index: &mut Index, namespace: &str, change: impl FnOnce(&mut LumigoRecord)) {
        let record =
            NamespaceRecord { name: namespace.into(), uid: format!("uid-{namespace}").into(), annotation: None };
        record.apply(index, Timestamp::UNIX_EPOCH);
        let fact = LumigoFact { name: "lumigo".into(), active: true, token: Some(token()), ..LumigoFact::default() };
        let mut lumigo =
            LumigoRecord { namespace: namespace.into(), wants_events: true, fact, ..LumigoRecord::default() };
        change(&mut lumigo);
        lumigo.apply(index, Timestamp::UNIX_EPOCH);
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).expect("text")
    }

    #[test]
    fn active_lumigoes_are_named_with_their_tokens_in_order() {
        let (mut index, tokens) = (Index::new(&Settings::default(), "odigos-system"), Tokens::default());
        for (namespace, digit) in [("web", 'b'), ("shop", 'a')] {
            put(&mut index, namespace, |_| {});
            tokens.set(namespace, &token(), good(digit));
        }
        // A namespace without Events sends telemetry all the same.
        put(&mut index, "quiet", |lumigo| lumigo.wants_events = false);
        tokens.set("quiet", &token(), good('c'));
        let contents = contents(&index, &tokens).expect("all is known");
        let (a, b, c) = ("a".repeat(21), "b".repeat(21), "c".repeat(21));
        assert_eq!(
            text(&contents.namespaces),
            format!(
                r#"[{{"name":"shop","uid":"uid-shop","token":"t_{a}"}},{{"name":"web","uid":"uid-web","token":"t_{b}"}}]"#
            )
        );
        assert_eq!(text(&contents.tokens), format!(r#"["t_{a}","t_{b}","t_{c}"]"#));
    }

    #[test]
    fn what_is_gone_inactive_or_without_a_token_is_not_named() {
        let (mut index, tokens) = (Index::new(&Settings::default(), "odigos-system"), Tokens::default());
        put(&mut index, "inactive", |lumigo| lumigo.fact.active = false);
        put(&mut index, "deleting", |lumigo| lumigo.fact.deleting = true);
        put(&mut index, "malformed", |_| {});
        for namespace in ["inactive", "deleting"] {
            tokens.set(namespace, &token(), good('a'));
        }
        tokens.set("malformed", &token(), TokenState::Bad(Reason::TokenMalformed));
        let contents = contents(&index, &tokens).expect("all is known");
        assert_eq!((text(&contents.namespaces), text(&contents.tokens)), ("[]", "[]"));
    }

    #[test]
    fn nothing_is_said_while_a_secret_was_not_asked_for() {
        let mut index = Index::new(&Settings::default(), "odigos-system");
        put(&mut index, "shop", |_| {});
        assert_eq!(contents(&index, &Tokens::default()), None);
    }

    #[test]
    fn a_file_is_for_its_owner_alone_and_comes_back_when_it_is_gone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("epiphyte-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (mut file, metrics) = (Written::at(folder.join("namespaces.json")), Metrics::new());
        for _ in 0..2 {
            file.keep(b"[]".to_vec(), &metrics);
            assert_eq!(std::fs::read(&file.path).expect("the file"), b"[]");
            let mode = std::fs::metadata(&file.path).expect("the file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            std::fs::remove_file(&file.path).expect("it goes");
        }
        std::fs::remove_dir_all(folder).expect("the folder goes");
    }
}
