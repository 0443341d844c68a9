//! A request or response head in an arena: bytes once, spans into them, and edits laid over.
//!
//! HTTP/1, HTTP/2 and HTTP/3 fill the same type, filters edit it, and encoders write it out. It borrows nothing, so no
//! read buffer is pinned while a request is under way, and it is cleared and used again, so a request allocates nothing
//! once its worker is warm. This file holds no rule of any protocol: what may be in a head is decided by who fills it.

use crate::encode::line;
use crate::name::Name;

/// A range of the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn of(self, arena: &[u8]) -> &[u8] {
        &arena[self.start as usize..(self.start + self.len) as usize]
    }

    /// Where `part`, a slice of `whole`, is in an arena that begins with `whole`.
    fn within(whole: &[u8], part: &[u8]) -> Self {
        if part.is_empty() {
            return Span::default();
        }
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        debug_assert!(start + part.len() <= whole.len(), "part is a slice of whole");
        Span {
            start: start as u32,
            len: part.len() as u32,
        }
    }
}

/// One header line. A removed one keeps its place with `live` false.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: Span,
    value: Span,
    id: Name,
    live: bool,
    /// In the arena the line stands as it is written out: name, colon, space, value, CRLF.
    whole: bool,
}

impl Field {
    /// Where a line that is whole begins and ends.
    fn ends(&self) -> (usize, usize) {
        let value_end = (self.value.start + self.value.len) as usize;
        (self.name.start as usize, value_end + LINE_END.len())
    }
}

const SEPARATOR: &[u8; 2] = b": ";
const LINE_END: &[u8; 2] = b"\r\n";

/// The version a message claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2.
    Http2,
    /// HTTP/3.
    Http3,
}

/// The head of a request or of a response.
#[derive(Debug, Default)]
pub struct Head {
    arena: Vec<u8>,
    fields: Vec<Field>,
    /// The known names among the fields, removed ones included.
    names: u64,
    version: Version,
    method: Span,
    target: Span,
    /// The first target of this head, whatever it was rewritten to.
    asked: Option<Span>,
    path: Span,
    query: Option<Span>,
    authority: Span,
    status: u16,
    reason: Span,
}

impl Head {
    /// An empty head.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything but the memory. An arena that grew past 16 KiB is given back.
    pub fn clear(&mut self) {
        let mut arena = std::mem::take(&mut self.arena);
        let mut fields = std::mem::take(&mut self.fields);
        if arena.capacity() > 16 * 1024 {
            arena = Vec::new();
            fields = Vec::new();
        }
        arena.clear();
        fields.clear();
        *self = Self {
            arena,
            fields,
            ..Self::default()
        };
    }

    /// Copies bytes into the arena.
    pub fn store(&mut self, bytes: &[u8]) -> Span {
        let start = self.arena.len() as u32;
        self.arena.extend_from_slice(bytes);
        Span {
            start,
            len: bytes.len() as u32,
        }
    }

    // Filling.

    /// Sets the version.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Sets the request method.
    pub fn set_method(&mut self, method: &[u8]) {
        self.method = self.store(method);
    }

    /// Sets what is forwarded as the request target: origin form (`/path?query`), or `*`. Path and query follow from it.
    pub fn set_target(&mut self, target: &[u8]) {
        let span = self.store(target);
        self.place_target(span);
    }

    fn place_target(&mut self, span: Span) {
        self.asked.get_or_insert(span);
        self.target = span;
        let Span { start, len } = span;
        match memchr::memchr(b'?', span.of(&self.arena)) {
            Some(at) => {
                self.path = Span { start, len: at as u32 };
                self.query = Some(Span {
                    start: start + at as u32 + 1,
                    len: len - at as u32 - 1,
                });
            }
            None => {
                self.path = self.target;
                self.query = None;
            }
        }
    }

    /// Sets who the request is for, `host` or `host:port`, as the client wrote it.
    pub fn set_authority(&mut self, authority: &[u8]) {
        self.authority = self.store(authority);
    }

    /// Sets the response status and its reason phrase.
    pub fn set_status(&mut self, status: u16, reason: &[u8]) {
        self.status = status;
        self.reason = self.store(reason);
    }

    /// Adds a header line at the end.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        self.append_known(Name::of(name), name, value);
    }

    /// [`Self::append`] for a name that is known to be `id`.
    pub fn append_known(&mut self, id: Name, name: &[u8], value: &[u8]) {
        debug_assert!(Name::of(name) == id, "{name:?} is {id:?}");
        self.arena
            .reserve(name.len() + SEPARATOR.len() + value.len() + LINE_END.len());
        let name = self.store(name);
        self.arena.extend_from_slice(SEPARATOR);
        let value = self.store(value);
        self.arena.extend_from_slice(LINE_END);
        self.push(Field {
            name,
            value,
            id,
            live: true,
            whole: true,
        });
    }

    fn push(&mut self, field: Field) {
        self.names |= field.id.bit();
        self.fields.push(field);
    }

    // Filling at one stroke: the whole head is copied once, and what was parsed from it becomes spans.

    /// Copies a whole head into the arena, which must be empty.
    pub(crate) fn load(&mut self, whole: &[u8]) {
        debug_assert!(self.arena.is_empty(), "a head is loaded into an empty arena");
        self.arena.extend_from_slice(whole);
    }

    /// [`Self::set_method`] for a slice of what was loaded.
    pub(crate) fn set_method_loaded(&mut self, whole: &[u8], method: &[u8]) {
        self.method = Span::within(whole, method);
    }

    /// [`Self::set_target`] for a slice of what was loaded.
    pub(crate) fn set_target_loaded(&mut self, whole: &[u8], target: &[u8]) {
        self.place_target(Span::within(whole, target));
    }

    /// [`Self::set_target`] with `/` put in front.
    pub(crate) fn set_target_with_root(&mut self, rest: &[u8]) {
        let Span { start, .. } = self.store(b"/");
        let Span { len, .. } = self.store(rest);
        self.place_target(Span { start, len: len + 1 });
    }

    /// [`Self::set_status`] for a slice of what was loaded.
    pub(crate) fn set_status_loaded(&mut self, whole: &[u8], status: u16, reason: &[u8]) {
        self.status = status;
        self.reason = Span::within(whole, reason);
    }

    /// [`Self::append`] for slices of what was loaded. Says which name it is.
    pub(crate) fn append_loaded(&mut self, whole: &[u8], name: &[u8], value: &[u8]) -> Name {
        let id = Name::of(name);
        let (name, value) = (Span::within(whole, name), Span::within(whole, value));
        let (name_end, value_end) = (name.start + name.len, value.start + value.len);
        // What follows a name is a colon, and what follows a carriage return is a line feed: the parser has seen to that.
        let stands_whole = value.start == name_end + SEPARATOR.len() as u32
            && whole[name_end as usize + 1] == b' '
            && whole.get(value_end as usize) == Some(&b'\r');
        self.push(Field {
            name,
            value,
            id,
            live: true,
            whole: stands_whole,
        });
        id
    }

    /// Takes the authority from the Host line, if there is one.
    pub(crate) fn set_authority_from_host(&mut self) {
        let host = self.fields.iter().find(|f| f.live && f.id == Name::Host);
        self.authority = host.map_or(Span::default(), |f| f.value);
    }

    /// Gives the Host line the value that is the authority by now, or adds one.
    pub(crate) fn set_host_from_authority(&mut self) {
        let authority = self.authority;
        match self.fields.iter_mut().find(|f| f.live && f.id == Name::Host) {
            Some(field) => (field.value, field.whole) = (authority, false),
            None => {
                let name = self.store(b"Host");
                self.push(Field {
                    name,
                    value: authority,
                    id: Name::Host,
                    live: true,
                    whole: false,
                });
            }
        }
    }

    // Editing.

    /// False when no line has one of these names, which are bits.
    pub(crate) fn may_have(&self, names: u64) -> bool {
        self.names & names != 0
    }

    /// Removes every line of this name, in any case. True if there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let id = Name::of(name);
        if !self.may_have(id.bit()) {
            return false;
        }
        let Self { arena, fields, .. } = self;
        let mut found = false;
        for field in fields.iter_mut().filter(|f| f.live && f.id == id) {
            if id != Name::Other || field.name.of(arena).eq_ignore_ascii_case(name) {
                field.live = false;
                found = true;
            }
        }
        found
    }

    /// Removes every line whose known name is `id`. Does nothing for [`Name::Other`].
    pub fn remove_id(&mut self, id: Name) -> bool {
        let mut found = false;
        if id != Name::Other && self.may_have(id.bit()) {
            for field in self.fields.iter_mut().filter(|f| f.live && f.id == id) {
                field.live = false;
                found = true;
            }
        }
        found
    }

    /// Keeps the lines for which `keep(id, name, value)` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(Name, &[u8], &[u8]) -> bool) {
        let Self { arena, fields, .. } = self;
        for field in fields.iter_mut().filter(|f| f.live) {
            field.live = keep(field.id, field.name.of(arena), field.value.of(arena));
        }
    }

    /// Removes the lines that Connection names (RFC 9110, 7.6.1), but those that `spare` says to keep.
    pub(crate) fn remove_named_by_connection(&mut self, spare: impl Fn(Name) -> bool) {
        let Self { arena, fields, .. } = self;
        for at in 0..fields.len() {
            let line = fields[at];
            if !line.live || line.id != Name::Connection {
                continue;
            }
            for option in crate::fields::elements(line.value.of(arena)) {
                let id = Name::of(option);
                for field in fields.iter_mut().filter(|f| f.live && f.id == id && !spare(id)) {
                    field.live = id == Name::Other && !field.name.of(arena).eq_ignore_ascii_case(option);
                }
            }
        }
    }

    /// Replaces every line of this name by one.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.append(name, value);
    }

    // Reading.

    /// The version the message came with.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The request method.
    pub fn method(&self) -> &[u8] {
        self.method.of(&self.arena)
    }

    /// The target as it came, for logs: what [`Self::target`] was before any rewrite.
    pub fn asked(&self) -> &[u8] {
        self.asked.map_or(&[], |span| span.of(&self.arena))
    }

    /// The target as it will be forwarded: path and query, or `*`.
    pub fn target(&self) -> &[u8] {
        self.target.of(&self.arena)
    }

    /// The raw path, before the `?`.
    pub fn path(&self) -> &[u8] {
        self.path.of(&self.arena)
    }

    /// The query, after the `?`, if there is a `?`.
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|span| span.of(&self.arena))
    }

    /// Who the request is for, `host` or `host:port`, as the client wrote it; empty for HTTP/1.0 without Host.
    pub fn authority(&self) -> &[u8] {
        self.authority.of(&self.arena)
    }

    /// The authority without its port; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &[u8] {
        let authority = self.authority();
        match memchr::memrchr(b':', authority) {
            Some(at) if !authority[at..].contains(&b']') => &authority[..at],
            _ => authority,
        }
    }

    /// The response status; 0 in a request.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The response's reason phrase.
    pub fn reason(&self) -> &[u8] {
        self.reason.of(&self.arena)
    }

    /// The value of the first line with this known name.
    pub fn get(&self, id: Name) -> Option<&[u8]> {
        debug_assert!(id != Name::Other);
        self.values(id).next()
    }

    /// The value of the first line with this name, in any case.
    pub fn find(&self, name: &[u8]) -> Option<&[u8]> {
        let id = Name::of(name);
        if id != Name::Other {
            return self.get(id);
        }
        self.iter()
            .find(|(field, bytes, _)| *field == id && bytes.eq_ignore_ascii_case(name))
            .map(|(_, _, value)| value)
    }

    /// All lines in order: known name, name as written, value.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &[u8], &[u8])> {
        self.fields
            .iter()
            .filter(|f| f.live)
            .map(|f| (f.id, f.name.of(&self.arena), f.value.of(&self.arena)))
    }

    /// All values of one known name, in order.
    pub fn values(&self, id: Name) -> impl Iterator<Item = &[u8]> {
        let fields = if self.may_have(id.bit()) { &self.fields[..] } else { &[] };
        fields
            .iter()
            .filter(move |f| f.live && f.id == id)
            .map(|f| f.value.of(&self.arena))
    }

    /// Writes out all lines in order but those with the names `skip`, which are bits: name, colon, space, value, CRLF. Lines
    /// that stand one after the other in the arena are copied as one.
    pub(crate) fn write_lines(&self, skip: u64, out: &mut Vec<u8>) {
        let (mut start, mut end) = (0, 0);
        let goes = |field: &&Field| field.live && field.id.bit() & skip == 0;
        for field in self.fields.iter().filter(goes) {
            let next = if field.whole { field.ends() } else { (end, end) };
            if next.0 != end || !field.whole {
                out.extend_from_slice(&self.arena[start..end]);
                start = next.0;
            }
            end = next.1;
            if !field.whole {
                line(field.name.of(&self.arena), field.value.of(&self.arena), out);
            }
        }
        out.extend_from_slice(&self.arena[start..end]);
    }
}
