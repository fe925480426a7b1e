//! The variable by which a runtime loads the agent.

use super::Editor;
use crate::{
    layout::{JAVA_AGENT, NODE_AGENT, PYTHON_FOLDER},
    program::Runtime,
    variables::Variable,
};

pub(super) fn activate(editor: &mut Editor<'_, '_>, runtime: Runtime, root: &[u8]) -> Option<()> {
    match runtime {
        Runtime::Java => java(editor, root),
        Runtime::Node => node(editor, root),
        Runtime::Python => python(editor, root),
    }
}

/// Ours comes last: of two agents the later one sees the classes as the other left them.
fn java(editor: &mut Editor<'_, '_>, root: &[u8]) -> Option<()> {
    const FLAG: &[u8] = b"-javaagent:";
    let given = editor.given(Variable::JavaToolOptions);
    let is_ours = |option: &[u8]| {
        let rest = without_start(option, &[FLAG, root, JAVA_AGENT.as_bytes()]);
        rest.is_some_and(|rest| matches!(rest, [] | [b'=', ..]))
    };
    match given {
        Some(given) if words(given).any(is_ours) => Some(()),
        Some(given) => editor.set(Variable::JavaToolOptions, &[given, b" ", FLAG, root, JAVA_AGENT.as_bytes()]),
        None => editor.set(Variable::JavaToolOptions, &[FLAG, root, JAVA_AGENT.as_bytes()]),
    }
}

/// Ours comes first: it has to see the modules that the user's own may load.
fn node(editor: &mut Editor<'_, '_>, root: &[u8]) -> Option<()> {
    const FLAG: &[u8] = b"--require ";
    let given = editor.given(Variable::NodeOptions);
    let is_ours = |option: &[u8]| {
        let option = option.strip_prefix(b"--require=").unwrap_or(option);
        without_start(option, &[root, NODE_AGENT.as_bytes()]) == Some(b"")
    };
    match given {
        Some(given) if words(given).any(is_ours) => Some(()),
        Some(given) => editor.set(Variable::NodeOptions, &[FLAG, root, NODE_AGENT.as_bytes(), b" ", given]),
        None => editor.set(Variable::NodeOptions, &[FLAG, root, NODE_AGENT.as_bytes()]),
    }
}

/// Ours comes first: of all modules `sitecustomize` only the first is imported, and ours then imports the next.
fn python(editor: &mut Editor<'_, '_>, root: &[u8]) -> Option<()> {
    let given = editor.given(Variable::PythonPath);
    let is_ours = |folder: &[u8]| without_start(folder, &[root, PYTHON_FOLDER.as_bytes()]) == Some(b"");
    match given {
        Some(given) if given.split(|byte| *byte == b':').any(is_ours) => Some(()),
        Some(given) => editor.set(Variable::PythonPath, &[root, PYTHON_FOLDER.as_bytes(), b":", given]),
        None => editor.set(Variable::PythonPath, &[root, PYTHON_FOLDER.as_bytes()]),
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace)
}

/// What is left of a text that begins with these pieces.
fn without_start<'t>(text: &'t [u8], pieces: &[&[u8]]) -> Option<&'t [u8]> {
    pieces.iter().try_fold(text, |rest, piece| rest.strip_prefix(*piece))
}
