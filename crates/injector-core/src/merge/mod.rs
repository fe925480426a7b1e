//! What a process is to have in its environment. The user's values survive; ours are there exactly once.

mod activation;
mod destination;
mod who;

#[cfg(test)]
mod tests;

use crate::{
    host::Host,
    identity::Identity,
    program::Runtime,
    text::{Page, Text},
    variables::{Variable, Variables},
};

/// All that merging looks at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'f> {
    /// What the program is.
    pub runtime: Runtime,
    /// The folder that holds the agents.
    pub root: &'f [u8],
    /// What the process has in its environment.
    pub variables: &'f Variables<'f>,
    /// What the node agent left; empty where it left nothing.
    pub identity: Identity<'f>,
    /// What the host is called.
    pub host: Host<'f>,
    /// The namespace by the mounted service account; empty where none is mounted.
    pub namespace: &'f [u8],
}

/// The entries that an environment is to have in place of its own, at most one for a variable.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'o> {
    entries: [Option<&'o [u8]>; Variable::COUNT],
}

impl<'o> Changes<'o> {
    /// Whether the environment is as it should be.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(Option::is_none)
    }

    /// Takes out the entry for a variable: `NAME=value`, with a zero byte at its end.
    pub fn take(&mut self, variable: Variable) -> Option<&'o [u8]> {
        self.entries.get_mut(variable as usize)?.take()
    }

    /// The variables that change.
    pub fn variables(&self) -> impl Iterator<Item = Variable> {
        Variable::ALL.iter().zip(&self.entries).filter(|(_, entry)| entry.is_some()).map(|(variable, _)| *variable)
    }
}

/// Tells what is to change, and writes the new entries into the memory. `None` where they do not fit.
pub fn merge<'o>(facts: &Facts<'_>, memory: &'o mut [u8]) -> Option<Changes<'o>> {
    let mut editor = Editor {
        variables: facts.variables,
        page: Page::new(memory),
        changes: Changes { entries: Default::default() },
    };
    activation::activate(&mut editor, facts.runtime, facts.root)?;
    destination::direct(&mut editor)?;
    who::introduce(&mut editor, facts)?;
    Some(editor.changes)
}

/// Changes in the making.
struct Editor<'f, 'o> {
    variables: &'f Variables<'f>,
    page: Page<'o>,
    changes: Changes<'o>,
}

impl<'f, 'o> Editor<'f, 'o> {
    /// What the process has.
    fn given(&self, variable: Variable) -> Option<&'f [u8]> {
        self.variables.get(variable)
    }

    /// Gives a variable the value that `write` writes.
    fn write(&mut self, variable: Variable, write: impl FnOnce(&mut Text<'o>) -> Option<()>) -> Option<()> {
        let entry = self.page.text(|text| {
            text.push(variable.name().as_bytes())?;
            text.push(b"=")?;
            write(text)
        })?;
        *self.changes.entries.get_mut(variable as usize)? = Some(entry);
        Some(())
    }

    /// Gives a variable a value made of pieces.
    fn set(&mut self, variable: Variable, pieces: &[&[u8]]) -> Option<()> {
        self.write(variable, |text| pieces.iter().try_for_each(|piece| text.push(piece)))
    }

    /// Gives a variable a value, if it has none.
    fn supply(&mut self, variable: Variable, pieces: &[&[u8]]) -> Option<()> {
        if self.given(variable).is_some() { Some(()) } else { self.set(variable, pieces) }
    }
}
