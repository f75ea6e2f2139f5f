import Foundation
import HexagonIDL

/// C programs made from an interface's model, for property tests of its stub and skel: an implementation that
/// mirrors what it gets, and a client that sends random values and compares.
///
/// A returned parameter is answered with the first sent one of the same type that no other has answered with
/// already; without such a one a scalar is a number of its place, and everything else zeros. What goes both
/// ways comes back with its first byte changed.
struct MirrorProgram {
    let unit: IDLUnit
    let interface: Interface
    /// The generated header, whose prototypes the implementation repeats.
    let header: String

    init(_ unit: IDLUnit) throws {
        self.unit = unit
        guard let interface = unit.interface else { throw Toolchain.Failure(description: "no interface") }
        self.interface = interface
        header = try CHeader.generate(unit)
    }

    /// A value in C and what stands beside it.
    private struct Place {
        var type: IDLType
        var value: String
        var length = ""
        var offset = ""

        init(_ type: IDLType, member name: String, of owner: String) {
            self.type = type
            value = owner + name
            length = owner + name + "Len"
            offset = owner + name + "Offset"
        }

        /// The elements of a complex sequence.
        func element(_ index: String) -> Place {
            guard case .sequence(let element) = type.resolved else { return self }
            var place = Place(element, member: "", of: "\(value)[\(index)]")
            switch element.resolved {
            case .string, .wideString, .sequence:
                place.value += ".data"
                place.length = "\(value)[\(index)].dataLen"
            case .dmaHandle:
                place.value += ".fd"
                place.length = "\(value)[\(index)].len"
                place.offset = "\(value)[\(index)].offset"
            default: break
            }
            return place
        }

        var members: [Place] {
            guard case .structure(let type) = type.resolved else { return [] }
            return type.members.map { member in
                var place = Place(member.type, member: member.name, of: "(\(value)).")
                if member.type.isHandle {
                    place.length = "\(place.value).len"
                    place.offset = "\(place.value).offset"
                    place.value += ".fd"
                }
                return place
            }
        }

        /// The address of a value without data of its own, and its size.
        var address: String {
            if case .array = type.resolved { value } else { "&\(value)" }
        }
        var size: Int { type.extent(.full).size }
        var unitSize: Int {
            switch type.resolved {
            case .string: 1
            case .wideString: 2
            case .sequence(let element): element.extent(.full).size
            default: 0
            }
        }
    }

    // MARK: Statements

    /// Copies as much as fits.
    private func copy(_ from: Place, _ to: Place, _ depth: Int = 0) -> [String] {
        switch from.type.resolved {
        case .string, .wideString:
            return ["copy_text(\(to.value), \(to.length), \(from.value), \(from.unitSize));"]
        case .sequence(let element):
            let count = "smaller(\(from.length), \(to.length))"
            guard element.isComplex else {
                return [
                    "if (\(count)) memcpy(\(to.value), \(from.value), \(count) * (size_t)\(from.unitSize));"
                ]
            }
            let index = "i\(depth)"
            return ["for (int \(index) = 0; \(index) < \(count); \(index)++) {"]
                + copy(from.element(index), to.element(index), depth + 1) + ["}"]
        case .dmaHandle:
            return []
        case .structure where from.type.isComplex:
            return zip(from.members, to.members).flatMap { copy($0, $1, depth) }
        default:
            return ["memcpy(\(to.address), \(from.address), \(from.size));"]
        }
    }

    /// Makes sure that handles arrived whole: the client's offsets are sixteen times their descriptor.
    private func check(_ place: Place, _ depth: Int = 0) -> [String] {
        switch place.type.resolved {
        case .dmaHandle:
            return ["if (\(place.offset) != 16u * (uint32_t)\(place.value)) return AEE_EFAILED;"]
        case .sequence(let element) where element.isComplex:
            let index = "i\(depth)"
            let inner = check(place.element(index), depth + 1)
            guard !inner.isEmpty else { return [] }
            return ["for (int \(index) = 0; \(index) < \(place.length); \(index)++) {"] + inner + ["}"]
        case .structure where place.type.isComplex:
            return place.members.flatMap { check($0, depth) }
        default: return []
        }
    }

    /// Fills a place that was zero.
    private func randomize(_ place: Place, _ depth: Int = 0) -> [String] {
        switch place.type.resolved {
        case .string: return ["\(place.value) = random_text(1);", "\(place.length) = 0;"]
        case .wideString: return ["\(place.value) = random_text(2);", "\(place.length) = 0;"]
        case .sequence:
            let index = "i\(depth)"
            return [
                // A call carries at most 15 handles each way.
                "\(place.length) = random_length()\(place.type.holdsHandle ? " % 3" : "");",
                "\(place.value) = grab((size_t)\(place.length) * sizeof *\(place.value));",
                "for (int \(index) = 0; \(index) < \(place.length); \(index)++) {",
            ] + randomize(place.element(index), depth + 1) + ["}"]
        case .dmaHandle:
            return [
                "\(place.value) = 1 + (int)(random_word() % 1000);",
                "\(place.offset) = 16u * (uint32_t)\(place.value);", "\(place.length) = 4096;",
            ]
        case .structure: return place.members.flatMap { randomize($0, depth) }
        case .array(let element, let count):
            let index = "i\(depth)"
            let inner = Place(element, member: "", of: "\(place.value)[\(index)]")
            return ["for (int \(index) = 0; \(index) < \(count); \(index)++) {"] + randomize(inner, depth + 1)
                + ["}"]
        case .scalar(.boolean): return ["\(place.value) = random_word() & 1;"]
        case .scalar(.float): return ["\(place.value) = (float)(int16_t)random_word();"]
        case .scalar(.double): return ["\(place.value) = (double)(int16_t)random_word();"]
        case .enumeration(let type):
            return ["\(place.value) = (\(type.name))(random_word() % \(type.cases.count));"]
        default: return ["\(place.value) = (__typeof__(\(place.value)))random_word();"]
        }
    }

    /// Makes `to` as large as `from` and leaves it empty.
    private func makeRoom(_ to: Place, like from: Place, _ depth: Int = 0) -> [String] {
        switch to.type.resolved {
        case .string, .wideString:
            let unit = to.unitSize
            return [
                "\(to.length) = (int)text_length(\(from.value), \(unit));",
                "\(to.value) = grab((size_t)\(to.length) * \(unit));",
            ]
        case .sequence(let element):
            let own = [
                "\(to.length) = \(from.length);",
                "\(to.value) = grab((size_t)\(to.length) * sizeof *\(to.value));",
            ]
            guard element.isComplex else { return own }
            let index = "i\(depth)"
            return own + ["for (int \(index) = 0; \(index) < \(to.length); \(index)++) {"]
                + makeRoom(to.element(index), like: from.element(index), depth + 1) + ["}"]
        case .structure where to.type.isComplex:
            return zip(to.members, from.members).flatMap { makeRoom($0, like: $1, depth) }
        case .dmaHandle: return randomize(to)
        default: return []
        }
    }

    /// Compares.
    private func compare(_ a: Place, _ b: Place, _ what: String, _ depth: Int = 0) -> [String] {
        switch a.type.resolved {
        case .string, .wideString:
            let unit = a.unitSize
            return [
                "require(!memcmp(\(a.value), \(b.value), text_length(\(a.value), \(unit)) * \(unit)), \"\(what)\");"
            ]
        case .sequence(let element):
            let index = "i\(depth)"
            let inner = Place.element(a)(index)
            return ["for (int \(index) = 0; \(index) < \(b.length); \(index)++) {"]
                + compare(inner, b.element(index), "\(what)[]", depth + 1) + ["}"]
                + (element.isComplex ? [] : ["require(\(a.length) == \(b.length), \"\(what)\");"])
        case .structure:
            return zip(a.members, b.members).flatMap { compare($0, $1, what, depth) }
        case .array(let element, let count):
            let index = "i\(depth)"
            let places = [a, b].map { Place(element, member: "", of: "\($0.value)[\(index)]") }
            return ["for (int \(index) = 0; \(index) < \(count); \(index)++) {"]
                + compare(places[0], places[1], what, depth + 1) + ["}"]
        case .dmaHandle: return []
        default: return ["require(\(a.value) == \(b.value), \"\(what)\");"]
        }
    }

    /// Changes the first byte of what goes both ways, where there is one; a string stays a string.
    private func flip(_ place: Place) -> [String] {
        switch place.type.resolved {
        case .string, .wideString:
            return ["if (\(place.value)[0]) ((uint8_t *)\(place.value))[0] ^= 1;"]
        case .sequence: return ["if (\(place.length) > 0) ((uint8_t *)\(place.value))[0] ^= 1;"]
        default: return ["((uint8_t *)\(place.address))[0] ^= 1;"]
        }
    }

    // MARK: Methods

    /// Which parameter answers each returned one.
    private func sources(_ method: Method) -> [Int: Int] {
        var sources: [Int: Int] = [:]
        for (index, parameter) in method.parameters.enumerated() where parameter.direction == .rout {
            sources[index] = method.parameters.indices.first { candidate in
                let other = method.parameters[candidate]
                return other.direction == .in && other.type.spelling == parameter.type.spelling
                    && !sources.values.contains(candidate)
            }
        }
        return sources
    }

    /// Scalars that nothing answers are a number of their place.
    private func constant(_ method: Method, _ index: Int) -> String? {
        guard case .scalar = method.parameters[index].type.resolved else { return nil }
        return "\((method.index + index) % 100)"
    }

    private func prototype(_ method: Method) throws -> String {
        let begin = "int \(interface.name)_\(method.name)("
        guard let start = header.range(of: begin), let end = header[start.lowerBound...].range(of: ");")
        else { throw Toolchain.Failure(description: "no prototype of \(method.name)") }
        return String(header[start.lowerBound..<end.lowerBound]) + ")"
    }

    /// The implementation behind the skel.
    func implementation() throws -> String {
        let name = interface.name
        var text = """
            #include "\(name).h"
            \(Self.helpers)
            int \(name)_open(const char *uri, remote_handle64 *h) { *h = 77; return uri[0] == 'f' ? 0 : AEE_EBADPARM; }
            int \(name)_close(remote_handle64 h) { return h == 77 ? 0 : AEE_EINVHANDLE; }

            """
        for method in interface.methods {
            let sources = sources(method)
            var lines: [String] = ["(void)_h;"]
            if method.isAsync { lines.append("(void)asyncDesc;") }
            for (index, parameter) in method.parameters.enumerated() {
                let place = place(parameter, isLocal: false)
                lines += check(place)
                lines += unused(parameter).map { "(void)\($0);" }
                if parameter.direction == .inrout { lines += flip(place) }
                guard parameter.direction == .rout else { continue }
                if let source = sources[index] {
                    lines += copy(self.place(method.parameters[source], isLocal: false), place)
                } else if let constant = constant(method, index) {
                    lines.append("\(place.value) = \(constant);")
                }
            }
            text += try prototype(method) + " {\n" + lines.map { "    \($0)\n" }.joined()
            text += "    return AEE_SUCCESS;\n}\n"
        }
        return text
    }

    private func unused(_ parameter: Parameter) -> [String] {
        let name = parameter.name
        switch parameter.type.resolved {
        case .sequence: return [name, name + "Len"]
        case .string, .wideString: return parameter.direction == .in ? [name] : [name, name + "Len"]
        case .dmaHandle: return [name, name + "Offset", name + "Len"]
        default: return [name]
        }
    }

    private func place(_ parameter: Parameter, isLocal: Bool) -> Place {
        var place = Place(parameter.type, member: parameter.name, of: "")
        guard !isLocal else { return place }
        switch parameter.type.resolved {
        case .structure: place.value = "(*\(parameter.name))"
        case .scalar, .enumeration: if parameter.direction != .in { place.value = "(*\(parameter.name))" }
        default: break
        }
        return place
    }

    /// The client. Its arguments: how many rounds, and whether methods with handles are called (0 or 1).
    func client() throws -> String {
        let name = interface.name
        var text = """
            #include "\(name).h"
            #include <stdio.h>
            \(Self.helpers)
            \(Self.clientHelpers)

            """
        for method in interface.methods { text += try test(method) }
        let calls = interface.methods.map { method in
            let guarded = method.parameters.contains { $0.type.holdsHandle } ? "if (handles) " : ""
            return "        \(guarded)test_\(method.name)(h);\n"
        }
        return text + """
            int main(int count, char **arguments) {
                int rounds = count > 1 ? atoi(arguments[1]) : 1;
                int handles = count > 2 ? atoi(arguments[2]) : 1;
                remote_handle64 h = 0;
                int status = \(name)_open(\(name)_URI "&_dom=cdsp", &h);
                if (status) { printf("open: %x\\n", (unsigned)status); return 1; }
                for (int round = 0; round < rounds; round++) {
                    longest = round % 6;
            \(calls.joined())        forget();
                }
                status = \(name)_close(h);
                if (status) { printf("close: %x\\n", (unsigned)status); return 1; }
                printf("%d rounds\\n", rounds);
                return 0;
            }

            """
    }

    private func test(_ method: Method) throws -> String {
        let sources = sources(method)
        var lines: [String] = []
        var arguments = ["_h"] + (method.isAsync ? ["0"] : [])
        var after: [String] = []
        for (index, parameter) in method.parameters.enumerated() {
            let name = parameter.name
            lines += declarations(parameter, name)
            let place = place(parameter, isLocal: true)
            if parameter.direction == .rout {
                if let source = sources[index] {
                    let sent = self.place(method.parameters[source], isLocal: true)
                    after += compare(place, sent, "\(method.name).\(name)")
                } else if let constant = constant(method, index) {
                    after.append("require(\(name) == \(constant), \"\(method.name).\(name)\");")
                }
            } else {
                lines += randomize(place)
            }
            if parameter.direction == .inrout {
                // What was sent, in a copy that is changed as the callee changes it.
                let copyName = name + "_before"
                lines += declarations(parameter, copyName)
                let before = Place(parameter.type, member: copyName, of: "")
                if !parameter.type.isFlatValue {
                    lines += makeRoom(before, like: place)
                    if !parameter.type.isSequence { lines.append("\(name)Len = \(copyName)Len;") }
                }
                lines += copy(place, before) + flip(before)
                after += compare(place, before, "\(method.name).\(name)")
            }
            arguments += self.arguments(parameter)
        }
        // Room is made when everything that is sent is known.
        for (index, parameter) in method.parameters.enumerated() where parameter.direction == .rout {
            let place = place(parameter, isLocal: true)
            if let source = sources[index] {
                lines += makeRoom(place, like: self.place(method.parameters[source], isLocal: true))
            } else if parameter.type.isHandle {
                lines += randomize(place)
            } else if parameter.type.isComplex {
                lines += anyRoom(place)
            }
        }
        let call = "int _status = \(interface.name)_\(method.name)(\(arguments.joined(separator: ", ")));"
        lines += [call, "require_success(_status, \"\(method.name)\");"] + after
        return "static void test_\(method.name)(remote_handle64 _h) {\n"
            + lines.map { "    \($0)\n" }.joined() + "}\n"
    }

    /// Room for what nothing answers: five of everything.
    private func anyRoom(_ place: Place) -> [String] {
        switch place.type.resolved {
        case .string, .wideString, .sequence:
            ["\(place.length) = 5;", "\(place.value) = grab(5 * sizeof *\(place.value));"]
        case .structure: place.members.filter { $0.type.isComplex }.flatMap { anyRoom($0) }
        default: []
        }
    }

    private func declarations(_ parameter: Parameter, _ name: String) -> [String] {
        switch parameter.type.resolved {
        case .sequence, .string, .wideString:
            ["\(elementName(parameter.type)) *\(name) = 0;", "int \(name)Len = 0;"]
                + (parameter.direction == .in ? ["(void)\(name)Len;"] : [])
        case .dmaHandle: ["int \(name) = 0;", "uint32_t \(name)Offset = 0, \(name)Len = 0;"]
        case .structure, .array:
            ["\(typeName(parameter.type)) \(name);", "memset(&\(name), 0, sizeof \(name));"]
        default: ["\(typeName(parameter.type)) \(name) = 0;"]
        }
    }

    private func arguments(_ parameter: Parameter) -> [String] {
        let name = parameter.name
        let isIn = parameter.direction == .in
        switch parameter.type.resolved {
        case .sequence: return [name, name + "Len"]
        case .string, .wideString: return isIn ? [name] : [name, name + "Len"]
        case .dmaHandle: return [name, name + "Offset", name + "Len"]
        case .structure: return ["&" + name]
        // C before C23 does not pass an array of arrays as an array of constant ones.
        case .array: return [isIn ? "(void *)" + name : name]
        default: return [isIn ? name : "&" + name]
        }
    }

    private func elementName(_ type: IDLType) -> String {
        switch type.resolved {
        case .string: "char"
        case .wideString: "uint16_t"
        case .sequence(let element): typeName(element)
        default: typeName(type)
        }
    }

    private func typeName(_ type: IDLType) -> String {
        switch type {
        case .alias(let alias):
            switch alias.target {
            case .array, .sequence: return alias.name
            default: return typeName(alias.target)
            }
        case .scalar(let scalar):
            switch scalar {
            case .octet, .boolean, .uint8: return "uint8_t"
            case .char: return "char"
            case .wchar, .uint16: return "uint16_t"
            case .float, .double: return scalar.rawValue
            default: return scalar.rawValue + "_t"
            }
        case .enumeration(let type): return type.name
        case .structure(let type): return type.name
        case .string: return "_cstring1_t"
        case .wideString: return "_wstring1_t"
        case .dmaHandle: return "_dmahandle1_t"
        case .array(let element, _), .sequence(let element): return typeName(element)
        }
    }
}

extension IDLType {
    fileprivate var isHandle: Bool { if case .dmaHandle = resolved { true } else { false } }
    fileprivate var isSequence: Bool { if case .sequence = resolved { true } else { false } }
    fileprivate var isFlatValue: Bool { !isComplex }
    fileprivate var holdsHandle: Bool {
        switch resolved {
        case .dmaHandle: true
        case .structure(let type): type.members.contains { $0.type.holdsHandle }
        case .sequence(let element): element.holdsHandle
        default: false
        }
    }
}

extension MirrorProgram {
    fileprivate static let helpers = """
        #include <stdlib.h>
        #include <string.h>
        __attribute__((unused)) static int smaller(int a, int b) { return a < b ? a : b; }
        /* Units with the terminating zero. */
        __attribute__((unused)) static size_t text_length(const void *text, size_t unit) {
            size_t count = 1;
            if (unit == 1) for (const char *at = text; *at; at++) count++;
            else for (const uint16_t *at = text; *at; at++) count++;
            return count;
        }
        __attribute__((unused)) static void copy_text(void *to, int room, const void *from, size_t unit) {
            size_t count = text_length(from, unit);
            if (count > (size_t)room) count = (size_t)room;
            if (count) memcpy(to, from, count * unit);
        }
        """

    fileprivate static let clientHelpers = """
        static uint64_t state = 1;
        static int longest = 4;
        static uint64_t random_word(void) {
            uint64_t z = (state += 0x9e3779b97f4a7c15);
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
            z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
            return z ^ (z >> 31);
        }
        __attribute__((unused)) static int random_length(void) { return longest ? (int)(random_word() % longest) : 0; }
        typedef struct memory { struct memory *next; uint64_t bytes[]; } memory;
        static memory *memories;
        __attribute__((unused)) static void *grab(size_t size) {
            memory *own = calloc(1, sizeof(memory) + size);
            own->next = memories;
            memories = own;
            return own->bytes;
        }
        static void forget(void) {
            while (memories) {
                memory *next = memories->next;
                free(memories);
                memories = next;
            }
        }
        __attribute__((unused)) static void *random_text(size_t unit) {
            size_t count = random_word() % 12;
            uint8_t *text = grab((count + 1) * unit);
            for (size_t i = 0; i < count; i++) text[i * unit] = (uint8_t)('a' + random_word() % 26);
            return text;
        }
        __attribute__((unused)) static void require(int good, const char *what) {
            if (good) return;
            printf("%s came back wrong\\n", what);
            exit(1);
        }
        __attribute__((unused)) static void require_success(int status, const char *what) {
            if (!status) return;
            printf("%s: %x\\n", what, (unsigned)status);
            exit(1);
        }
        """

    /// Calls a skel in the same program, in the place of the library that reaches a DSP.
    static func shortcut(_ name: String) -> String {
        """
        #include "\(name).h"
        #include <string.h>
        int \(name)_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);
        int adsp_mmap_fd_getinfo(int fd, uint32_t *length) { *length = (uint32_t)fd; return 0; }
        int remote_register_dma_handle(int fd, uint32_t length) { return fd > 0 && length == 4096 ? 0 : AEE_EBADPARM; }
        int remote_handle64_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra) {
            return \(name)_skel_handle_invoke(h, sc, pra);
        }
        int remote_handle64_invoke_async(remote_handle64 h, fastrpc_async_descriptor_t *d, uint32_t sc, remote_arg *pra) {
            return d ? AEE_EFAILED : remote_handle64_invoke(h, sc, pra);
        }
        int remote_handle64_open(const char *uri, remote_handle64 *h) {
            uint32_t length = (uint32_t)strlen(uri) + 1;
            remote_arg pra[3] = {{.buf = {&length, 4}}, {.buf = {(void *)uri, length}}};
            int status = \(name)_skel_handle_invoke(0, 0x00020001, pra);
            *h = pra[2].h64;
            return status;
        }
        int remote_handle64_close(remote_handle64 h) {
            remote_arg pra[1] = {{.h64 = h}};
            return \(name)_skel_handle_invoke(0, 0x01000010, pra);
        }

        """
    }
}
