/// Paths as text: no file system is asked.
package enum PathNormalization {
    /// An absolute path without empty parts, `.` and `..`; nil where `path` is relative and there is no
    /// absolute base.
    package static func normalized(_ path: String, relativeTo base: String?) -> String? {
        var whole = path
        if !path.hasPrefix("/") {
            guard let base, base.hasPrefix("/") else { return nil }
            whole = base + "/" + path
        }
        var parts: [Substring] = []
        for part in whole.split(separator: "/", omittingEmptySubsequences: true) {
            switch part {
            case ".": break
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// What follows the last slash of a path.
    package static func lastPart(of path: [UInt8]) -> ArraySlice<UInt8> {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return path[...] }
        return path[(slash + 1)...]
    }

    /// The folder that a path is in.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    /// Follows links of `links`, also where they are folders on the way, up to 40 of them.
    package static func resolved(_ path: String, through links: [String: String]) -> String {
        guard !links.isEmpty else { return path }
        var path = path
        for _ in 0..<40 {
            guard let (link, target) = links.first(where: { path == $0.key || path.hasPrefix($0.key + "/") }),
                let start = normalized(target, relativeTo: folder(of: link))
            else { break }
            path = start + path.dropFirst(link.count)
        }
        return path
    }
}
