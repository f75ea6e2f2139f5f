import FastRPCLibrary
import Foundation
import Testing

/// A library that keeps sessions as libcdsprpc does: rights for each effective domain, reservations, handles,
/// and the payloads of its requests as C lays them out.
struct SessionFixture: @unchecked Sendable {
    enum Switch: CInt {
        /// Requests 13 to 15 and closing are unknown, as on older libraries.
        case old = 0
        /// Calls return this status.
        case callStatus = 1
        /// Capability queries return this status.
        case queryStatus = 2
    }

    let library: FastRPCLibrary
    private let handle: UnsafeMutableRawPointer

    init(in scratch: ScratchDirectory, name: String, without: [String] = []) throws {
        let replaced = [
            "remote_handle64_open", "remote_handle64_invoke", "remote_handle64_close",
            "remote_handle64_control", "remote_session_control", "remote_handle_control",
        ]
        let kept = Self.functions.filter { function in !without.contains { function.contains(" \($0)(") } }
        let file = try FixtureLibrary.build(
            in: scratch, name: name, without: replaced + without,
            appending: ([Self.prelude] + kept).joined(separator: "\n"))
        library = try FastRPCLibrary(path: file, registry: LibraryRegistry())
        handle = try #require(dlopen(library.file, RTLD_NOW))
    }

    func set(_ what: Switch, _ value: UInt32) {
        typealias Function = @convention(c) (CInt, CInt) -> Void
        unsafeBitCast(dlsym(handle, "fixture_set"), to: Function.self)(
            what.rawValue, CInt(bitPattern: value))
    }

    /// What happened since the last look.
    func log() -> String {
        typealias Function = @convention(c) () -> UnsafePointer<CChar>
        let text = String(cString: unsafeBitCast(dlsym(handle, "fixture_log"), to: Function.self)())
        unsafeBitCast(dlsym(handle, "fixture_clear"), to: (@convention(c) () -> Void).self)()
        return text
    }

    private static let prelude = """
        static int switches[3], unsigned_modules[32], reserved[32];
        static uint64_t handles[16]; static int domains[16];
        void fixture_set(int what, int value) { switches[what] = value; }
        void fixture_clear(void) { text[0] = 0; }
        static int domain_of(const char *name, uint32_t n) {
            if (n == 4 && !memcmp(name, "cdsp", n)) return 3;
            if (n == 5 && !memcmp(name, "cdsp1", n)) return 4;
            return -1; }
        struct reserve { char *domain; uint32_t domain_len; char *name; uint32_t name_len, effective, session; };
        struct effective { char *domain; uint32_t domain_len, session, effective; };
        struct uri { char *domain; uint32_t domain_len, session; char *module; uint32_t module_len; char *uri;
            uint32_t uri_len; };
        struct notify { void *context; int domain; int (*fn)(void *, int, int, int); };
        """

    private static let functions = [
        """
        int remote_session_control(uint32_t req, void *data, uint32_t n) {
            int *words = data, domain = words[0];
            if (switches[0] && (req == 7 || req >= 13)) return 0x14;
            switch (req) {
            case 1: if (n != 12) return 0xe; LOG("threads %d %d %d;", domain, words[1], words[2]); return 0;
            case 2: if (n != 8) return 0xe;
                LOG("unsigned %d %d;", domain, words[1]);
                for (int i = 0; i < 16; i++)
                    if (handles[i] && domains[i] == domain) return 5;
                unsigned_modules[domain] = words[1]; return 0;
            case 6: LOG("kill %d %u;", domain, n); return 0x14;
            case 7: if (n != 4) return 0xe; LOG("end %d;", domain); reserved[domain] = 0;
                for (int i = 0; i < 16; i++) if (domains[i] == domain) handles[i] = 0; return 0;
            case 9: if (n != 4) return 0xe; LOG("exception %d;", domain); return 0;
            case 10: if (n != 8) return 0xe; words[1] = unsigned_modules[domain]; return 0;
            case 11: { struct notify *p = data; if (n != sizeof *p) return 0xe;
                return p->fn(p->context, p->domain % 8, p->domain / 8, 4); }
            case 13: { struct reserve *p = data; if (n != sizeof *p) return 0xe;
                LOG("reserve %s %u;", p->name, p->name_len);
                for (int i = 1; i < 4; i++) { int e = domain_of(p->domain, p->domain_len) + 8 * i;
                    if (e >= 8 && !reserved[e]) { reserved[e] = 1; p->effective = e; p->session = i; return 0; } }
                return 0x8a; }
            case 14: { struct effective *p = data; if (n != sizeof *p) return 0xe;
                int d = domain_of(p->domain, p->domain_len); if (d < 0) return 0xe;
                p->effective = d + 8 * p->session; return 0; }
            case 15: { struct uri *p = data;
                if (n != sizeof *p || strlen(p->module) != p->module_len) return 0xe;
                int used = snprintf(p->uri, p->uri_len, "%s&_dom=%s&_session=%u", p->module, p->domain,
                                    p->session);
                return used < (int)p->uri_len ? 0 : 0x4d; }
            }
            return 0x14; }
        """,
        """
        int remote_handle64_open(const char *uri, uint64_t *h) {
            static uint64_t next = 0x700000000000;
            const char *session = strstr(uri, "&_session=");
            int domain = 3 + (session ? 8 * (session[10] - '0') : 0);
            LOG("open %s;", uri);
            for (int i = 0; i < 16; i++) if (!handles[i]) {
                *h = handles[i] = next++; domains[i] = domain; return 0; }
            return 2; }
        """,
        """
        int remote_handle64_close(uint64_t h) {
            for (int i = 0; i < 16; i++) if (handles[i] == h) { handles[i] = 0; LOG("close %d;", domains[i]);
                // With the last handle the process ends, and a reservation with it.
                int others = 0;
                for (int j = 0; j < 16; j++) others += handles[j] && domains[j] == domains[i];
                if (!others) reserved[domains[i]] = 0;
                return 0; }
            LOG("close unknown;"); return 0x2c; }
        """,
        "int remote_handle64_invoke(uint64_t h, uint32_t sc, void *args) { return switches[1]; }",
        """
        int remote_handle64_control(uint64_t h, uint32_t req, void *data, uint32_t n) {
            uint32_t *words = data;
            if (req == 1) { LOG("latency %u %u %u;", words[0], words[1], n); return words[0] == 3 ? 0x14 : 0; }
            return 0x6c; }
        """,
        """
        int remote_handle_control(uint32_t req, void *data, uint32_t n) {
            uint32_t *words = data; if (req != 2 || n != 12) return 0xe;
            if (switches[2]) return switches[2];
            words[2] = 1000 * words[0] + words[1]; return 0; }
        """,
    ]
}
