//! Why a message was refused, and with which status a request is answered then.
//!
//! One variant per rule. A response that breaks a rule is the backend's doing: the caller answers 502 whatever the rule.

/// Why a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error {
    /// A LF without a CR before it.
    #[error("a line feed without a carriage return")]
    BareLineFeed,
    /// A CR without a LF after it.
    #[error("a carriage return without a line feed")]
    BareCarriageReturn,
    /// A zero byte.
    #[error("a zero byte")]
    Nul,
    /// A control character other than HTAB.
    #[error("a control character")]
    ControlCharacter,
    /// The head is over its limit of bytes.
    #[error("the head is too large")]
    HeadTooLarge,
    /// The head has more header lines than allowed.
    #[error("too many header lines")]
    TooManyHeaders,
    /// The request target is over its limit of bytes.
    #[error("the request target is too long")]
    UriTooLong,
    /// The first line is not `METHOD target HTTP/1.x`, or not `HTTP/1.x status reason`.
    #[error("the first line is malformed")]
    BadStartLine,
    /// The method is not a token, or absurdly long.
    #[error("the method is malformed")]
    BadMethod,
    /// A version that is neither HTTP/1.0 nor HTTP/1.1.
    #[error("the version is not supported")]
    BadVersion,
    /// A request target in a form or with a character that is not allowed.
    #[error("the request target is malformed")]
    BadTarget,
    /// A request for a tunnel.
    #[error("CONNECT is not served")]
    ConnectRefused,
    /// A header line without a colon, or whose name is not a token.
    #[error("a header line is malformed")]
    BadHeader,
    /// White space between a header name and its colon.
    #[error("white space before a colon")]
    SpaceBeforeColon,
    /// A header line that begins with white space (RFC 9112, 5.2).
    #[error("a folded header line")]
    ObsFold,
    /// No Host in an HTTP/1.1 request.
    #[error("no Host")]
    MissingHost,
    /// More than one Host line.
    #[error("more than one Host")]
    DoubledHost,
    /// A Host that is not `name`, `name:port`, or the same with an address.
    #[error("the Host is malformed")]
    BadHost,
    /// Both Content-Length and Transfer-Encoding.
    #[error("both Content-Length and Transfer-Encoding")]
    BothLengths,
    /// More than one Content-Length, whether they differ or not.
    #[error("more than one Content-Length")]
    DoubledLength,
    /// A Content-Length that is not plain digits, or over 2^63 - 1.
    #[error("the Content-Length is malformed")]
    BadLength,
    /// A Transfer-Encoding that is not a single `chunked`, or any in HTTP/1.0.
    #[error("the Transfer-Encoding is not supported")]
    BadTransferEncoding,
    /// A Connection header with an absurd number of options.
    #[error("the Connection header is malformed")]
    BadConnection,
    /// An Expect other than `100-continue`.
    #[error("the expectation cannot be met")]
    BadExpectation,
    /// A status that is not three digits from 100 on.
    #[error("the status is malformed")]
    BadStatus,
    /// A framing header in an answer that has no body by its status.
    #[error("a framing header where there can be no body")]
    UnexpectedBody,
    /// A 101 that nobody asked for, or one without its headers.
    #[error("an unasked or malformed upgrade")]
    BadUpgrade,
    /// A chunk size or its end of line is malformed.
    #[error("a chunk is malformed")]
    BadChunk,
    /// A chunk size over 2^63 - 1 or of more than 16 digits.
    #[error("a chunk size is too large")]
    ChunkTooLarge,
    /// Chunk extensions that are malformed or over their bounds.
    #[error("chunk extensions are malformed or too long")]
    BadChunkExtension,
    /// Trailers over their bounds.
    #[error("trailers are too large")]
    TrailersTooLarge,
    /// A framing, routing or connection field among the trailers.
    #[error("a field that may not stand in trailers")]
    ForbiddenTrailer,
    /// The connection ended within a message.
    #[error("the message is cut short")]
    Truncated,
    /// A percent sign without two hexadecimal digits, or an encoded zero byte.
    #[error("an escape in the path is malformed")]
    BadEscape,
    /// A path that climbs above its root, or would if a slash in it were decoded.
    #[error("the path leaves its root or hides a dot segment")]
    BadPath,
}

impl Error {
    /// The status that answers a request which broke this rule.
    pub fn status(self) -> u16 {
        match self {
            Error::ConnectRefused => 405,
            Error::UriTooLong => 414,
            Error::BadExpectation => 417,
            Error::HeadTooLarge | Error::TooManyHeaders | Error::TrailersTooLarge => 431,
            Error::BadVersion => 505,
            _ => 400,
        }
    }

    /// A short stable word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Error::BareLineFeed => "bare_lf",
            Error::BareCarriageReturn => "bare_cr",
            Error::Nul => "nul",
            Error::ControlCharacter => "control_character",
            Error::HeadTooLarge => "head_too_large",
            Error::TooManyHeaders => "too_many_headers",
            Error::UriTooLong => "uri_too_long",
            Error::BadStartLine => "bad_start_line",
            Error::BadMethod => "bad_method",
            Error::BadVersion => "bad_version",
            Error::BadTarget => "bad_target",
            Error::ConnectRefused => "connect_refused",
            Error::BadHeader => "bad_header",
            Error::SpaceBeforeColon => "space_before_colon",
            Error::ObsFold => "obs_fold",
            Error::MissingHost => "missing_host",
            Error::DoubledHost => "doubled_host",
            Error::BadHost => "bad_host",
            Error::BothLengths => "both_lengths",
            Error::DoubledLength => "doubled_length",
            Error::BadLength => "bad_length",
            Error::BadTransferEncoding => "bad_transfer_encoding",
            Error::BadConnection => "bad_connection",
            Error::BadExpectation => "bad_expectation",
            Error::BadStatus => "bad_status",
            Error::UnexpectedBody => "unexpected_body",
            Error::BadUpgrade => "bad_upgrade",
            Error::BadChunk => "bad_chunk",
            Error::ChunkTooLarge => "chunk_too_large",
            Error::BadChunkExtension => "bad_chunk_extension",
            Error::TrailersTooLarge => "trailers_too_large",
            Error::ForbiddenTrailer => "forbidden_trailer",
            Error::Truncated => "truncated",
            Error::BadEscape => "bad_escape",
            Error::BadPath => "bad_path",
        }
    }
}
