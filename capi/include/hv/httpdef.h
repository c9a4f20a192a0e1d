/* Numbers of HTTP, by libhv's names, and what they are called. */
#ifndef HV_HTTP_DEF_H_
#define HV_HTTP_DEF_H_

#include "hplatform.h"

#define DEFAULT_HTTP_PORT 80
#define DEFAULT_HTTPS_PORT 443

enum http_version { HTTP_V1 = 1, HTTP_V2 = 2 };

enum http_session_type { HTTP_CLIENT, HTTP_SERVER };

enum http_parser_type { HTTP_REQUEST, HTTP_RESPONSE, HTTP_BOTH };

enum http_status {
    HTTP_STATUS_CONTINUE = 100,
    HTTP_STATUS_SWITCHING_PROTOCOLS = 101,
    HTTP_STATUS_PROCESSING = 102,
    HTTP_STATUS_OK = 200,
    HTTP_STATUS_CREATED = 201,
    HTTP_STATUS_ACCEPTED = 202,
    HTTP_STATUS_NON_AUTHORITATIVE_INFORMATION = 203,
    HTTP_STATUS_NO_CONTENT = 204,
    HTTP_STATUS_RESET_CONTENT = 205,
    HTTP_STATUS_PARTIAL_CONTENT = 206,
    HTTP_STATUS_MULTI_STATUS = 207,
    HTTP_STATUS_ALREADY_REPORTED = 208,
    HTTP_STATUS_IM_USED = 226,
    HTTP_STATUS_MULTIPLE_CHOICES = 300,
    HTTP_STATUS_MOVED_PERMANENTLY = 301,
    HTTP_STATUS_FOUND = 302,
    HTTP_STATUS_SEE_OTHER = 303,
    HTTP_STATUS_NOT_MODIFIED = 304,
    HTTP_STATUS_USE_PROXY = 305,
    HTTP_STATUS_TEMPORARY_REDIRECT = 307,
    HTTP_STATUS_PERMANENT_REDIRECT = 308,
    HTTP_STATUS_BAD_REQUEST = 400,
    HTTP_STATUS_UNAUTHORIZED = 401,
    HTTP_STATUS_PAYMENT_REQUIRED = 402,
    HTTP_STATUS_FORBIDDEN = 403,
    HTTP_STATUS_NOT_FOUND = 404,
    HTTP_STATUS_METHOD_NOT_ALLOWED = 405,
    HTTP_STATUS_NOT_ACCEPTABLE = 406,
    HTTP_STATUS_PROXY_AUTHENTICATION_REQUIRED = 407,
    HTTP_STATUS_REQUEST_TIMEOUT = 408,
    HTTP_STATUS_CONFLICT = 409,
    HTTP_STATUS_GONE = 410,
    HTTP_STATUS_LENGTH_REQUIRED = 411,
    HTTP_STATUS_PRECONDITION_FAILED = 412,
    HTTP_STATUS_PAYLOAD_TOO_LARGE = 413,
    HTTP_STATUS_URI_TOO_LONG = 414,
    HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE = 415,
    HTTP_STATUS_RANGE_NOT_SATISFIABLE = 416,
    HTTP_STATUS_EXPECTATION_FAILED = 417,
    HTTP_STATUS_MISDIRECTED_REQUEST = 421,
    HTTP_STATUS_UNPROCESSABLE_ENTITY = 422,
    HTTP_STATUS_LOCKED = 423,
    HTTP_STATUS_FAILED_DEPENDENCY = 424,
    HTTP_STATUS_UPGRADE_REQUIRED = 426,
    HTTP_STATUS_PRECONDITION_REQUIRED = 428,
    HTTP_STATUS_TOO_MANY_REQUESTS = 429,
    HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE = 431,
    HTTP_STATUS_UNAVAILABLE_FOR_LEGAL_REASONS = 451,
    HTTP_STATUS_INTERNAL_SERVER_ERROR = 500,
    HTTP_STATUS_NOT_IMPLEMENTED = 501,
    HTTP_STATUS_BAD_GATEWAY = 502,
    HTTP_STATUS_SERVICE_UNAVAILABLE = 503,
    HTTP_STATUS_GATEWAY_TIMEOUT = 504,
    HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED = 505,
    HTTP_STATUS_VARIANT_ALSO_NEGOTIATES = 506,
    HTTP_STATUS_INSUFFICIENT_STORAGE = 507,
    HTTP_STATUS_LOOP_DETECTED = 508,
    HTTP_STATUS_NOT_EXTENDED = 510,
    HTTP_STATUS_NETWORK_AUTHENTICATION_REQUIRED = 511,
    HTTP_CUSTOM_STATUS
};

#define HTTP_STATUS_IS_REDIRECT(status)                                                            \
    ((status) == HTTP_STATUS_MOVED_PERMANENTLY || (status) == HTTP_STATUS_FOUND ||                 \
     (status) == HTTP_STATUS_SEE_OTHER || (status) == HTTP_STATUS_TEMPORARY_REDIRECT ||            \
     (status) == HTTP_STATUS_PERMANENT_REDIRECT)

enum http_method {
    HTTP_DELETE = 0,
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 3,
    HTTP_PUT = 4,
    HTTP_CONNECT = 5,
    HTTP_OPTIONS = 6,
    HTTP_TRACE = 7,
    HTTP_COPY = 8,
    HTTP_LOCK = 9,
    HTTP_MKCOL = 10,
    HTTP_MOVE = 11,
    HTTP_PROPFIND = 12,
    HTTP_PROPPATCH = 13,
    HTTP_SEARCH = 14,
    HTTP_UNLOCK = 15,
    HTTP_BIND = 16,
    HTTP_REBIND = 17,
    HTTP_UNBIND = 18,
    HTTP_ACL = 19,
    HTTP_REPORT = 20,
    HTTP_MKACTIVITY = 21,
    HTTP_CHECKOUT = 22,
    HTTP_MERGE = 23,
    HTTP_MSEARCH = 24,
    HTTP_NOTIFY = 25,
    HTTP_SUBSCRIBE = 26,
    HTTP_UNSUBSCRIBE = 27,
    HTTP_PATCH = 28,
    HTTP_PURGE = 29,
    HTTP_MKCALENDAR = 30,
    HTTP_LINK = 31,
    HTTP_UNLINK = 32,
    HTTP_SOURCE = 33,
    HTTP_CUSTOM_METHOD
};

enum http_content_type {
    CONTENT_TYPE_NONE = 0,
    CONTENT_TYPE_TEXT = 100,
    TEXT_PLAIN = 101,
    TEXT_HTML = 102,
    TEXT_CSS = 103,
    TEXT_CSV = 104,
    TEXT_MARKDOWN = 105,
    TEXT_EVENT_STREAM = 106,
    CONTENT_TYPE_APPLICATION = 200,
    APPLICATION_JAVASCRIPT = 201,
    APPLICATION_JSON = 202,
    APPLICATION_XML = 203,
    APPLICATION_URLENCODED = 204,
    APPLICATION_OCTET_STREAM = 205,
    APPLICATION_ZIP = 206,
    APPLICATION_GZIP = 207,
    APPLICATION_7Z = 208,
    APPLICATION_RAR = 209,
    APPLICATION_PDF = 210,
    APPLICATION_RTF = 211,
    APPLICATION_GRPC = 212,
    APPLICATION_WASM = 213,
    APPLICATION_JAR = 214,
    APPLICATION_XHTML = 215,
    APPLICATION_ATOM = 216,
    APPLICATION_RSS = 217,
    APPLICATION_WORD = 218,
    APPLICATION_EXCEL = 219,
    APPLICATION_PPT = 220,
    APPLICATION_EOT = 221,
    APPLICATION_M3U8 = 222,
    APPLICATION_DOCX = 223,
    APPLICATION_XLSX = 224,
    APPLICATION_PPTX = 225,
    CONTENT_TYPE_MULTIPART = 300,
    MULTIPART_FORM_DATA = 301,
    CONTENT_TYPE_IMAGE = 400,
    IMAGE_JPEG = 401,
    IMAGE_PNG = 402,
    IMAGE_GIF = 403,
    IMAGE_ICO = 404,
    IMAGE_BMP = 405,
    IMAGE_SVG = 406,
    IMAGE_TIFF = 407,
    IMAGE_WEBP = 408,
    CONTENT_TYPE_VIDEO = 500,
    VIDEO_MP4 = 501,
    VIDEO_FLV = 502,
    VIDEO_M4V = 503,
    VIDEO_MNG = 504,
    VIDEO_TS = 505,
    VIDEO_MPEG = 506,
    VIDEO_WEBM = 507,
    VIDEO_MOV = 508,
    VIDEO_3GPP = 509,
    VIDEO_AVI = 510,
    VIDEO_WMV = 511,
    VIDEO_ASF = 512,
    CONTENT_TYPE_AUDIO = 600,
    AUDIO_MP3 = 601,
    AUDIO_OGG = 602,
    AUDIO_M4A = 603,
    AUDIO_AAC = 604,
    AUDIO_PCMA = 605,
    AUDIO_OPUS = 606,
    CONTENT_TYPE_FONT = 700,
    FONT_TTF = 701,
    FONT_OTF = 702,
    FONT_WOFF = 703,
    FONT_WOFF2 = 704,
    CONTENT_TYPE_UNDEFINED = 1000
};

HV_INLINE const char *http_status_str(enum http_status status) {
    switch ((int)status) {
    case 100:
        return "Continue";
    case 101:
        return "Switching Protocols";
    case 102:
        return "Processing";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 203:
        return "Non-Authoritative Information";
    case 204:
        return "No Content";
    case 205:
        return "Reset Content";
    case 206:
        return "Partial Content";
    case 207:
        return "Multi-Status";
    case 208:
        return "Already Reported";
    case 226:
        return "IM Used";
    case 300:
        return "Multiple Choices";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 305:
        return "Use Proxy";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 402:
        return "Payment Required";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 407:
        return "Proxy Authentication Required";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 411:
        return "Length Required";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Payload Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 416:
        return "Range Not Satisfiable";
    case 417:
        return "Expectation Failed";
    case 421:
        return "Misdirected Request";
    case 422:
        return "Unprocessable Entity";
    case 423:
        return "Locked";
    case 424:
        return "Failed Dependency";
    case 426:
        return "Upgrade Required";
    case 428:
        return "Precondition Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 451:
        return "Unavailable For Legal Reasons";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    case 506:
        return "Variant Also Negotiates";
    case 507:
        return "Insufficient Storage";
    case 508:
        return "Loop Detected";
    case 510:
        return "Not Extended";
    case 511:
        return "Network Authentication Required";
    default:
        return "<unknown>";
    }
}

HV_INLINE const char *http_method_str(enum http_method method) {
    static const char *const names[] = {
        "DELETE",
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "CONNECT",
        "OPTIONS",
        "TRACE",
        "COPY",
        "LOCK",
        "MKCOL",
        "MOVE",
        "PROPFIND",
        "PROPPATCH",
        "SEARCH",
        "UNLOCK",
        "BIND",
        "REBIND",
        "UNBIND",
        "ACL",
        "REPORT",
        "MKACTIVITY",
        "CHECKOUT",
        "MERGE",
        "M-SEARCH",
        "NOTIFY",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "PATCH",
        "PURGE",
        "MKCALENDAR",
        "LINK",
        "UNLINK",
        "SOURCE",
    };
    const int number = (int)method;
    return number >= 0 && number < (int)(sizeof(names) / sizeof(*names)) ? names[number] : "<unknown>";
}

HV_INLINE enum http_method http_method_enum(const char *name) {
    int i;
    for (i = 0; i < (int)HTTP_CUSTOM_METHOD; ++i) {
        if (strcmp(http_method_str((enum http_method)i), name) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_CUSTOM_METHOD;
}

/* A type, what it is called, and the suffix of files of it. */
typedef struct hvloop_content_type {
    enum http_content_type type;
    const char *name;
    const char *suffix;
} hvloop_content_type;

/* The n-th one; NULL: there are not so many. */
HV_INLINE const hvloop_content_type *hvloop_content_type_at(size_t n) {
    static const hvloop_content_type types[] = {
        {TEXT_PLAIN, "text/plain", "txt"},
        {TEXT_HTML, "text/html", "html"},
        {TEXT_CSS, "text/css", "css"},
        {TEXT_CSV, "text/csv", "csv"},
        {TEXT_MARKDOWN, "text/markdown", "md"},
        {TEXT_EVENT_STREAM, "text/event-stream", "sse"},
        {APPLICATION_JAVASCRIPT, "application/javascript", "js"},
        {APPLICATION_JSON, "application/json", "json"},
        {APPLICATION_XML, "application/xml", "xml"},
        {APPLICATION_URLENCODED, "application/x-www-form-urlencoded", "kv"},
        {APPLICATION_OCTET_STREAM, "application/octet-stream", "bin"},
        {APPLICATION_ZIP, "application/zip", "zip"},
        {APPLICATION_GZIP, "application/gzip", "gzip"},
        {APPLICATION_7Z, "application/x-7z-compressed", "7z"},
        {APPLICATION_RAR, "application/x-rar-compressed", "rar"},
        {APPLICATION_PDF, "application/pdf", "pdf"},
        {APPLICATION_RTF, "application/rtf", "rtf"},
        {APPLICATION_GRPC, "application/grpc", "grpc"},
        {APPLICATION_WASM, "application/wasm", "wasm"},
        {APPLICATION_JAR, "application/java-archive", "jar"},
        {APPLICATION_XHTML, "application/xhtml+xml", "xhtml"},
        {APPLICATION_ATOM, "application/atom+xml", "atom"},
        {APPLICATION_RSS, "application/rss+xml", "rss"},
        {APPLICATION_WORD, "application/msword", "doc"},
        {APPLICATION_EXCEL, "application/vnd.ms-excel", "xls"},
        {APPLICATION_PPT, "application/vnd.ms-powerpoint", "ppt"},
        {APPLICATION_EOT, "application/vnd.ms-fontobject", "eot"},
        {APPLICATION_M3U8, "application/vnd.apple.mpegurl", "m3u8"},
        {APPLICATION_DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
        {APPLICATION_XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"},
        {APPLICATION_PPTX, "application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"},
        {MULTIPART_FORM_DATA, "multipart/form-data", "mp"},
        {IMAGE_JPEG, "image/jpeg", "jpg"},
        {IMAGE_PNG, "image/png", "png"},
        {IMAGE_GIF, "image/gif", "gif"},
        {IMAGE_ICO, "image/x-icon", "ico"},
        {IMAGE_BMP, "image/bmp", "bmp"},
        {IMAGE_SVG, "image/svg+xml", "svg"},
        {IMAGE_TIFF, "image/tiff", "tiff"},
        {IMAGE_WEBP, "image/webp", "webp"},
        {VIDEO_MP4, "video/mp4", "mp4"},
        {VIDEO_FLV, "video/x-flv", "flv"},
        {VIDEO_M4V, "video/x-m4v", "m4v"},
        {VIDEO_MNG, "video/x-mng", "mng"},
        {VIDEO_TS, "video/mp2t", "ts"},
        {VIDEO_MPEG, "video/mpeg", "mpeg"},
        {VIDEO_WEBM, "video/webm", "webm"},
        {VIDEO_MOV, "video/quicktime", "mov"},
        {VIDEO_3GPP, "video/3gpp", "3gpp"},
        {VIDEO_AVI, "video/x-msvideo", "avi"},
        {VIDEO_WMV, "video/x-ms-wmv", "wmv"},
        {VIDEO_ASF, "video/x-ms-asf", "asf"},
        {AUDIO_MP3, "audio/mpeg", "mp3"},
        {AUDIO_OGG, "audio/ogg", "ogg"},
        {AUDIO_M4A, "audio/x-m4a", "m4a"},
        {AUDIO_AAC, "audio/aac", "aac"},
        {AUDIO_PCMA, "audio/PCMA", "pcma"},
        {AUDIO_OPUS, "audio/opus", "opus"},
        {FONT_TTF, "font/ttf", "ttf"},
        {FONT_OTF, "font/otf", "otf"},
        {FONT_WOFF, "font/woff", "woff"},
        {FONT_WOFF2, "font/woff2", "woff2"},
    };
    return n < sizeof(types) / sizeof(*types) ? &types[n] : NULL;
}

HV_INLINE const char *http_content_type_str(enum http_content_type type) {
    const hvloop_content_type *found;
    size_t i;
    for (i = 0; (found = hvloop_content_type_at(i)) != NULL; ++i) {
        if (found->type == type) {
            return found->name;
        }
    }
    return "";
}

/* What stands behind a semicolon does not count. */
HV_INLINE enum http_content_type http_content_type_enum(const char *name) {
    const hvloop_content_type *found;
    size_t i, length = 0;
    if (name == NULL || *name == '\0') {
        return CONTENT_TYPE_NONE;
    }
    while (name[length] != '\0' && name[length] != ';' && name[length] != ' ') {
        ++length;
    }
    for (i = 0; (found = hvloop_content_type_at(i)) != NULL; ++i) {
        if (strlen(found->name) == length && strncasecmp(found->name, name, length) == 0) {
            return found->type;
        }
    }
    return CONTENT_TYPE_UNDEFINED;
}

HV_INLINE enum http_content_type http_content_type_enum_by_suffix(const char *suffix) {
    const hvloop_content_type *found;
    size_t i;
    for (i = 0; (found = hvloop_content_type_at(i)) != NULL; ++i) {
        if (strcasecmp(found->suffix, suffix) == 0) {
            return found->type;
        }
    }
    return CONTENT_TYPE_UNDEFINED;
}

#endif /* HV_HTTP_DEF_H_ */
