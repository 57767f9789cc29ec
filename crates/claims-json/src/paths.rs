//! Which parts of an object are wanted: a tree of names, each with a number.

use crate::names::{Key, Name};

/// The paths whose values a reader wants, from the payload's object downwards.
///
/// Every place on the way has a [slot](crate::Bound), numbered from 0, the object itself.
///
/// # Example
/// ```
/// use stampmill_claims_json::{Buffers, Claim, Limits, Paths};
///
/// let mut paths = Paths::default();
/// let issuer = paths.want(["iss"], false).slot;
/// let roles = paths.want(["realm_access", "roles"], true).slot;
///
/// let mut buffers = Buffers::default();
/// let payload = br#"{"iss":"me","exp":1700000000,"realm_access":{"roles":["ops"],"x":{}}}"#;
/// let bound = paths.bind(payload, &Limits::TOKEN, &mut buffers)?;
/// assert!(matches!(bound.claim(issuer), Some(Claim::String("me"))));
/// let Some(Claim::List(roles)) = bound.claim(roles) else { panic!() };
/// assert!(matches!(roles.get(0), Some(Claim::String("ops"))));
/// # Ok::<(), stampmill_claims_json::JsonError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Paths {
    nodes: Vec<Node>,
}

/// How far a path is covered by slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The slot of the last name that has one.
    pub slot: usize,
    /// How many names lead to it; fewer than the path has when a value on the way is wanted whole, with all that it holds.
    pub names: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// Whether lists and objects are wanted with all that they hold; otherwise only that they are one.
    pub(crate) whole: bool,
    children: Vec<Child>,
    /// Bits of the children's names.
    filter: u64,
}

#[derive(Clone, Debug)]
struct Child {
    key: Key,
    name: Box<str>,
    node: usize,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Paths {
    /// Wants the value at the end of a path: `whole`, or of lists and objects only that they are one.
    ///
    /// Where a value on the way is wanted whole, now or later, the path ends there and the rest is to be looked up in it: ask
    /// [`Paths::place`] when all is said.
    pub fn want<'n>(&mut self, path: impl IntoIterator<Item = &'n str>, whole: bool) -> Place {
        let mut place = Place { slot: 0, names: 0 };
        for name in path {
            if self.nodes[place.slot].whole {
                return place;
            }
            place.slot = match self.nodes[place.slot].child(name) {
                Some(node) => node,
                None => self.add(place.slot, name),
            };
            place.names += 1;
        }
        if whole {
            self.nodes[place.slot] = Node {
                whole,
                ..Node::default()
            };
        }
        place
    }

    /// How far slots lead on a path.
    pub fn place<'n>(&self, path: impl IntoIterator<Item = &'n str>) -> Place {
        let mut place = Place { slot: 0, names: 0 };
        for name in path {
            let Some(node) = self.nodes[place.slot].child(name) else {
                return place;
            };
            place.slot = node;
            place.names += 1;
        }
        place
    }

    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.nodes.len()
    }

    /// Whether a slot has lists and objects with all that they hold.
    #[must_use]
    pub fn is_whole(&self, slot: usize) -> bool {
        self.nodes.get(slot).is_some_and(|node| node.whole)
    }

    fn add(&mut self, parent: usize, name: &str) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node::default());
        let key = Key::of(name);
        let parent = &mut self.nodes[parent];
        parent.filter |= 1 << (key.digest() & 63);
        parent.children.push(Child {
            key,
            name: name.into(),
            node,
        });
        node
    }

    #[inline(always)]
    pub(crate) fn node(&self, slot: usize) -> &Node {
        &self.nodes[slot]
    }
}

impl Node {
    /// The slot of a member, if it is wanted. Nearly all members that are not wanted fail the filter.
    #[inline(always)]
    pub(crate) fn member(&self, name: &Name<'_, '_>) -> Option<usize> {
        if self.filter & 1 << (name.key.digest() & 63) == 0 {
            return None;
        }
        self.children
            .iter()
            .find(|child| name.is(child.key, &child.name))
            .map(|child| child.node)
    }

    #[inline(always)]
    pub(crate) fn has_children(&self) -> bool {
        self.filter != 0
    }

    fn child(&self, name: &str) -> Option<usize> {
        self.children
            .iter()
            .find(|child| *child.name == *name)
            .map(|child| child.node)
    }
}
