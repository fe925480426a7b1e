//! How far uninstalling is, in lines on standard error.

use std::cell::RefCell;
use std::io::Write as _;

/// Says how far it is. Each change is a line; what was just said is not said again.
#[derive(Default)]
pub(super) struct Progress {
    last: RefCell<String>,
}

impl Progress {
    /// Says something, unless it was said last.
    pub(super) fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if *self.last.borrow() != text {
            // A reader that has gone away hinders nothing.
            let _ = writeln!(anstream::stderr().lock(), "{text}");
            self.last.replace(text);
        }
    }

    /// What was said last.
    pub(super) fn last(&self) -> String {
        self.last.borrow().clone()
    }
}
