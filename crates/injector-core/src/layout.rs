//! Where the agents lie, seen from the folder that the library was loaded from.
//!
//! The library is at `<root>/injector/<any name>.so`, whatever delivered it, and the agents are beside it.

/// The Java agent, under the root.
pub const JAVA_AGENT: &str = "/java/agent.jar";

/// The Node.js module that sets the agent up, under the root.
pub const NODE_AGENT: &str = "/node/register.js";

/// The folder that Python is to import from, under the root.
pub const PYTHON_FOLDER: &str = "/python";

/// The Python module that sets the agent up, under the root.
pub const PYTHON_AGENT: &str = "/python/sitecustomize.py";

/// The longest root that is taken, in bytes.
const ROOT_LIMIT: usize = 512;

/// The folder that holds the agents, from the path of the library. `None` for a path that is not absolute, is not in a
/// folder `injector`, or has a character that would have to be quoted in one of the variables.
pub fn root_of(library: &[u8]) -> Option<&[u8]> {
    let (folder, _) = split_last(library, b'/')?;
    let root = folder.strip_suffix(b"/injector")?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(byte);
    (root.starts_with(b"/") && root.len() <= ROOT_LIMIT && root.iter().all(plain)).then_some(root)
}

/// What stands before and after the last of a separator.
pub(crate) fn split_last(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| *byte == separator)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

/// What stands before and after the first of a separator.
pub(crate) fn split_first(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::root_of;

    #[test]
    fn the_root_is_two_folders_above_the_library() {
        assert_eq!(root_of(b"/opt/lumigo/injector/lumigo_injector.so"), Some(&b"/opt/lumigo"[..]));
        assert_eq!(root_of(b"/var/odigos/injector/injector.so"), Some(&b"/var/odigos"[..]));
    }

    #[test]
    fn a_path_that_tells_no_root_is_refused() {
        for path in ["", "injector.so", "opt/injector/a.so", "/injector/a.so", "/opt/a.so", "/my agents/injector/a.so"]
        {
            assert_eq!(root_of(path.as_bytes()), None, "{path}");
        }
    }
}
