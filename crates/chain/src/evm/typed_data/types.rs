//! The type definitions: plain names, no shadowing, and a bounded expansion.
//!
//! EIP-712 hashes the definitions as text, so a name that holds a comma or a parenthesis could make
//! two different sets of definitions hash alike. And nested definitions that use each other twice
//! expand exponentially.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::Error;

const MAX_TYPES: usize = 64;
const MAX_MEMBERS: usize = 512;
const MAX_NAME_BYTES: usize = 128;
/// Names and types of all members together. Their text is hashed once for each structure in the
/// message.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Values in one fully expanded structure with one element per array.
const MAX_EXPANSION: u64 = 4096;

/// Type name → the types of its members, arrays stripped.
type Graph<'a> = BTreeMap<&'a str, Vec<&'a str>>;

pub(super) fn check(typed_data: &Map<String, Value>) -> Result<(), Error> {
    let Some(Value::Object(types)) = typed_data.get("types") else {
        return malformed("types is not an object");
    };
    let Some(Value::String(primary)) = typed_data.get("primaryType") else {
        return malformed("primaryType is not text");
    };
    if types.len() > MAX_TYPES {
        return malformed("too many types");
    }
    let mut graph = Graph::new();
    for (name, members) in types {
        if !is_type_name(name) || is_builtin(name) {
            return malformed("a type's name is not a plain name of its own");
        }
        graph.insert(name, member_types(members)?);
    }
    if graph.values().map(Vec::len).sum::<usize>() > MAX_MEMBERS {
        return malformed("too many members");
    }
    if types.values().map(text_bytes).sum::<usize>() > MAX_TEXT_BYTES {
        return malformed("types are too long");
    }
    // Its message would not be part of the digest.
    if primary == "EIP712Domain" || !graph.contains_key(primary.as_str()) {
        return malformed("primaryType is not one of types");
    }
    expansion(primary, &graph, &mut BTreeMap::new())?;
    Ok(())
}

fn member_types(members: &Value) -> Result<Vec<&str>, Error> {
    let Value::Array(members) = members else {
        return malformed("a type is not a list of members");
    };
    let mut names = BTreeSet::new();
    let mut types = Vec::new();
    for member in members {
        let (Some(Value::String(name)), Some(Value::String(member_type))) =
            (member.get("name"), member.get("type"))
        else {
            return malformed("a member has no name or no type");
        };
        if !is_member_name(name) || !names.insert(name) {
            return malformed("a member's name is not plain, or used twice");
        }
        types.push(element_type(member_type)?);
    }
    Ok(types)
}

fn text_bytes(members: &Value) -> usize {
    let members = members.as_array().into_iter().flatten();
    let texts = members.flat_map(|member| [member.get("name"), member.get("type")]);
    texts
        .flatten()
        .filter_map(Value::as_str)
        .map(str::len)
        .sum()
}

/// `T`, `T[]`, `T[3][]`: the part before the brackets, when all is well formed.
fn element_type(member_type: &str) -> Result<&str, Error> {
    let (stem, mut dimensions) = match member_type.find('[') {
        Some(at) => member_type
            .split_at_checked(at)
            .unwrap_or((member_type, "")),
        None => (member_type, ""),
    };
    let mut count = 0_usize;
    while let Some((size, rest)) = dimensions.strip_prefix('[').and_then(|d| d.split_once(']')) {
        let plain = size.is_empty()
            || (size.len() <= 9
                && !size.starts_with('0')
                && size.bytes().all(|b| b.is_ascii_digit()));
        count = count.saturating_add(1);
        if !plain || count > 8 {
            return malformed("an array's size");
        }
        dimensions = rest;
    }
    if dimensions.is_empty() && is_type_name(stem) {
        Ok(stem)
    } else {
        malformed("a member's type")
    }
}

/// Values that `name` expands to. The decoder refuses cycles too; this finds them first.
fn expansion<'a>(
    name: &'a str,
    graph: &Graph<'a>,
    known: &mut BTreeMap<&'a str, Option<u64>>,
) -> Result<u64, Error> {
    let Some(members) = graph.get(name) else {
        return Ok(1);
    };
    match known.get(name) {
        Some(Some(size)) => return Ok(*size),
        Some(None) => return malformed("types that contain each other"),
        None => {}
    }
    known.insert(name, None);
    let mut size: u64 = 1;
    for member in members {
        size = size.saturating_add(expansion(member, graph, known)?);
    }
    if size > MAX_EXPANSION {
        return malformed("types expand to too many values");
    }
    known.insert(name, Some(size));
    Ok(size)
}

fn is_member_name(name: &str) -> bool {
    is_type_name(name) && !name.contains(':')
}

/// A Solidity identifier; `:` separates namespaces as some protocols do.
fn is_type_name(name: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
    let is_rest = |byte: u8| is_start(byte) || byte.is_ascii_digit() || byte == b':';
    name.len() <= MAX_NAME_BYTES
        && name.bytes().next().is_some_and(is_start)
        && name.bytes().all(is_rest)
}

fn is_builtin(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(stem, "uint" | "int" | "bytes")
        || matches!(name, "address" | "bool" | "string" | "function")
}

fn malformed<T>(what: &str) -> Result<T, Error> {
    Err(Error::Malformed(format!("typed data: {what}")))
}
