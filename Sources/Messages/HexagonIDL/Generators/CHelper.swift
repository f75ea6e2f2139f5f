/// Small C functions that generated files carry where they need them.
enum CHelper: CaseIterable {
    case hasCounts
    case holds
    case isString
    case versionField
    case mapping

    var lines: [String] {
        switch self {
        case .hasCounts:
            [
                "/// Whether the call has just these numbers of buffers and handles.",
                "static int has_counts(uint32_t sc, unsigned in, unsigned out, unsigned in_handles, unsigned out_handles) {",
                "    return REMOTE_SCALARS_INBUFS(sc) == in && REMOTE_SCALARS_OUTBUFS(sc) == out",
                "        && REMOTE_SCALARS_INHANDLES(sc) == in_handles && REMOTE_SCALARS_OUTHANDLES(sc) == out_handles;",
                "}",
            ]
        case .holds:
            [
                "/// Whether the buffer holds `count` elements, a number that `int` can say.",
                "static int holds(const remote_arg *arg, uint32_t count, size_t size) {",
                "    return count <= INT32_MAX && arg->buf.nLen / size >= count;",
                "}",
            ]
        case .isString:
            [
                "/// Whether the buffer holds `count` characters of 1 or 2 bytes, the last of them zero.",
                "static int is_string(const remote_arg *arg, uint32_t count, size_t size) {",
                "    if (count == 0 || !holds(arg, count, size)) return 0;",
                "    const char *end = (const char *)arg->buf.pv + (size_t)count * size;",
                "    return end[-1] == 0 && (size == 1 || end[-2] == 0);",
                "}",
            ]
        case .mapping:
            [
                "/// Offered by the DSP's runtime: how many bytes lie behind a descriptor.",
                "int adsp_mmap_fd_getinfo(int fd, uint32_t *length);",
            ]
        case .versionField:
            [
                "/// The text after `_idlver=` in a URI, or null.",
                "static const char *version_field(const char *uri) {",
                "    static const char key[] = \"_idlver=\";",
                "    for (; *uri; uri++) {",
                "        int i = 0;",
                "        while (key[i] && uri[i] == key[i]) i++;",
                "        if (!key[i]) return uri + i;",
                "    }",
                "    return 0;",
                "}",
            ]
        }
    }
}
