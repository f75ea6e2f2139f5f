import HexagonIDL

/// Generates C that calls every method of an interface with random values, and C that answers with random
/// values. Both note what they send and what they see, so that any stub can be tried with any skel.
struct PropertyProgram {
    let unit: IDLUnit
    let interface: Interface

    init?(_ unit: IDLUnit) {
        guard let interface = unit.interface else { return nil }
        self.unit = unit
        self.interface = interface
    }

    // MARK: Places

    /// Where a value lies in C: its name, and those of its length and offset.
    private struct Place {
        var type: IDLType
        var value: String
        var length = ""
        var offset = ""
    }

    /// What is done to a place.
    private enum Verb: String, CaseIterable {
        /// Allocates and fills what is sent.
        case make
        /// Allocates what is to be filled, with random capacities.
        case ask
        /// Fills what is returned.
        case answer
        /// Notes what is sent.
        case sent
        /// Notes the capacities.
        case asked
        /// Notes what is returned.
        case answered
    }

    private static func cType(_ type: IDLType) -> String {
        switch type {
        case .scalar(let scalar):
            switch scalar {
            case .boolean: "IDL_BOOLEAN"
            case .octet, .uint8: "uint8_t"
            case .char: "char"
            case .wchar: "uint16_t"
            case .float, .double: scalar.rawValue
            default: "\(scalar.rawValue)_t"
            }
        case .enumeration(let type): type.name
        case .structure(let type): type.name
        case .alias(let alias):
            switch alias.target {
            case .array, .sequence: alias.name
            default: cType(alias.target)
            }
        case .array(let element, _), .sequence(let element): cType(element)
        case .string: "_cstring1_t"
        case .wideString: "_wstring1_t"
        case .dmaHandle: "_dmahandle1_t"
        }
    }

    /// An element of a sequence or array.
    private static func element(_ type: IDLType, _ value: String, ofSequence: Bool) -> Place {
        guard ofSequence else { return Place(type: type, value: value) }
        switch type.resolved {
        case .sequence, .string, .wideString:
            return Place(type: type, value: "\(value).data", length: "\(value).dataLen")
        case .dmaHandle:
            return Place(type: type, value: "\(value).fd", length: "\(value).len", offset: "\(value).offset")
        default: return Place(type: type, value: value)
        }
    }

    private func lines(_ verb: Verb, _ place: Place, _ depth: Int = 0) -> [String] {
        let (value, length) = (place.value, place.length)
        let indent = String(repeating: " ", count: 4 * (depth + 1))
        switch place.type.resolved {
        case .scalar(let scalar):
            switch verb {
            case .make, .answer:
                return [
                    "\(indent)\(scalar == .boolean ? "fill_boolean" : "fill")(&\(value), sizeof \(value));"
                ]
            case .sent, .answered: return ["\(indent)note(&\(value), sizeof \(value));"]
            case .ask, .asked: return []
            }
        case .enumeration:
            switch verb {
            case .make, .answer: return ["\(indent)fill(&\(value), sizeof \(value));"]
            case .sent, .answered: return ["\(indent)note(&\(value), sizeof \(value));"]
            case .ask, .asked: return []
            }
        case .structure(let type):
            return ["\(indent)\(verb.rawValue)_\(type.name)(&\(value));"]
        case .array(let element, let count):
            let inner = lines(
                verb, Self.element(element, "\(value)[i\(depth)]", ofSequence: false), depth + 1)
            if inner.isEmpty { return [] }
            return ["\(indent)for (int i\(depth) = 0; i\(depth) < \(count); i\(depth)++) {"] + inner
                + ["\(indent)}"]
        case .sequence(let element):
            var result: [String] = []
            if verb == .make || verb == .ask {
                result.append("\(indent)\(length) = length();")
                result.append("\(indent)\(value) = grab((size_t)\(length) * sizeof *\(value));")
            }
            if verb == .sent || verb == .asked {
                result.append("\(indent)note(&\(length), sizeof \(length));")
            }
            let inner = lines(verb, Self.element(element, "\(value)[i\(depth)]", ofSequence: true), depth + 1)
            if inner.isEmpty { return result }
            return result
                + ["\(indent)for (int i\(depth) = 0; i\(depth) < \(length); i\(depth)++) {"] + inner
                + ["\(indent)}"]
        case .string, .wideString:
            switch verb {
            case .make: return ["\(indent)\(value) = text(sizeof *\(value), 0);", "\(indent)\(length) = 0;"]
            case .ask:
                return [
                    "\(indent)\(length) = length();",
                    "\(indent)\(value) = grab((size_t)\(length) * sizeof *\(value));",
                ]
            case .answer: return ["\(indent)fill_answer(\(value), sizeof *\(value), \(length));"]
            case .sent: return ["\(indent)note_text(\(value), sizeof *\(value));"]
            case .asked: return ["\(indent)note(&\(length), sizeof \(length));"]
            case .answered: return ["\(indent)note_capacity(\(value), sizeof *\(value), \(length));"]
            }
        case .dmaHandle:
            switch verb {
            case .make, .ask:
                return [
                    "\(indent)\(value) = (int)(next() % 1000);",
                    "\(indent)fill(&\(place.offset), sizeof \(place.offset));",
                    "\(indent)\(length) = handle_length(\(value));",
                ]
            case .sent, .asked:
                return [value, place.offset, length].map { "\(indent)note(&\($0), sizeof \($0));" }
            case .answer, .answered: return []
            }
        case .alias: return []
        }
    }

    /// The functions that walk the unit's structs.
    private var walkers: [String] {
        var result: [String] = []
        for item in unit.items {
            guard case .structure(let type) = item.declaration else { continue }
            for verb in Verb.allCases {
                result.append("static void \(verb.rawValue)_\(type.name)(\(type.name) *v) {")
                result.append("    (void)v;")
                for member in type.members {
                    let name = "v->" + member.name
                    var place = Place(type: member.type, value: name, length: name + "Len")
                    if case .dmaHandle = member.type.resolved {
                        place = Self.element(member.type, name, ofSequence: true)
                    }
                    result += lines(verb, place)
                }
                result.append("}")
            }
        }
        return result
    }

    // MARK: The two sides

    private static func isText(_ type: IDLType) -> Bool {
        switch type.resolved {
        case .string, .wideString: true
        default: false
        }
    }

    /// Calls each method: `caller_run(method)`.
    var caller: String {
        var out = ["#include \"\(header)\"", Self.common] + walkers
        out.append("int caller_methods(void) { return \(interface.methods.count); }")
        out.append("void caller_run(int method) {")
        out.append("    switch (method) {")
        for (index, method) in interface.methods.enumerated() {
            out.append("    case \(index): {")
            var arguments = interface.hasHandle ? ["(remote_handle64)77"] : []
            if method.isAsync { arguments.append("0") }
            var seen: [String] = []
            var returned: [String] = []
            for (number, parameter) in method.parameters.enumerated() {
                let place = Place(
                    type: parameter.type, value: "p\(number)", length: "p\(number)Len",
                    offset: "p\(number)Offset")
                out += declaration(place)
                let isText = Self.isText(parameter.type)
                if parameter.direction == .inrout, isText {
                    out.append("    p\(number) = text(sizeof *p\(number), &p\(number)Len);")
                } else {
                    out += lines(parameter.direction == .rout ? .ask : .make, place)
                }
                seen += noted(place, parameter.direction)
                if parameter.direction != .in { returned += lines(.answered, place) }
                arguments += self.arguments(place, parameter.direction)
            }
            out += seen
            out.append("    int r = \(interface.name)_\(method.name)(\(arguments.joined(separator: ", ")));")
            out.append("    result(r);")
            if !returned.isEmpty { out += ["    if (r == 0) {"] + returned + ["    }"] }
            out.append("    break;")
            out.append("    }")
        }
        out += ["    }", "}"]
        return out.joined(separator: "\n") + "\n"
    }

    /// Implements each method; `callee_invoke` is the skel under a name that is always the same.
    var callee: String {
        var out = ["#include \"\(header)\"", Self.common] + walkers
        if interface.hasHandle {
            out.append("int \(interface.name)_open(const char *uri, remote_handle64 *h) {")
            out.append("    note_text(uri, 1);")
            out.append("    *h = 77;")
            out.append("    return 0;")
            out.append("}")
            out.append("int \(interface.name)_close(remote_handle64 h) { return h == 77 ? 0 : 1; }")
            out.append("int \(interface.name)_skel_handle_invoke(remote_handle64, uint32_t, remote_arg *);")
            out.append("int callee_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra) {")
            out.append("    return \(interface.name)_skel_handle_invoke(h, sc, pra);")
            out.append("}")
        } else {
            out.append("int \(interface.name)_skel_invoke(uint32_t, remote_arg *);")
            out.append("int callee_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra) {")
            out.append("    (void)h;")
            out.append("    return \(interface.name)_skel_invoke(sc, pra);")
            out.append("}")
        }
        for method in interface.methods {
            var parameters = interface.hasHandle ? ["remote_handle64 h"] : []
            if method.isAsync { parameters.append("fastrpc_async_descriptor_t *d") }
            var seen: [String] = []
            var returned: [String] = []
            for (number, parameter) in method.parameters.enumerated() {
                var place = Place(
                    type: parameter.type, value: "p\(number)", length: "p\(number)Len",
                    offset: "p\(number)Offset")
                parameters += self.parameters(place, parameter.direction)
                switch parameter.type.resolved {
                case .structure: place.value = "(*p\(number))"
                case .scalar, .enumeration: if parameter.direction != .in { place.value = "(*p\(number))" }
                default: break
                }
                seen += noted(place, parameter.direction)
                guard parameter.direction != .in else { continue }
                returned += lines(.answer, place) + lines(.answered, place)
            }
            let list = parameters.isEmpty ? "void" : parameters.joined(separator: ", ")
            out.append("int \(interface.name)_\(method.name)(\(list)) {")
            if interface.hasHandle { out.append("    handle(h);") }
            if method.isAsync { out.append("    if (d) return 1;") }
            out += seen + ["    answering();"] + returned + ["    return status();", "}"]
        }
        return out.joined(separator: "\n") + "\n"
    }

    private var header: String {
        let name = unit.path.split(separator: "/").last.map(String.init) ?? unit.path
        return (name.hasSuffix(".idl") ? String(name.dropLast(4)) : name) + ".h"
    }

    private func noted(_ place: Place, _ direction: Parameter.Direction) -> [String] {
        var result: [String] = []
        if direction != .rout { result += lines(.sent, place) }
        if direction == .rout || (direction == .inrout && Self.isText(place.type)) {
            result += lines(.asked, place)
        }
        return result
    }

    private func declaration(_ place: Place) -> [String] {
        let type = Self.cType(place.type)
        let value = place.value
        switch place.type.resolved {
        case .sequence(let element): return ["    \(Self.cType(element)) *\(value) = 0; int \(value)Len = 0;"]
        case .string: return ["    char *\(value) = 0; int \(value)Len = 0; (void)\(value)Len;"]
        case .wideString: return ["    uint16_t *\(value) = 0; int \(value)Len = 0; (void)\(value)Len;"]
        case .dmaHandle: return ["    int \(value); uint32_t \(value)Offset, \(value)Len;"]
        default: return ["    \(type) \(value); memset(&\(value), 0, sizeof \(value));"]
        }
    }

    private func arguments(_ place: Place, _ direction: Parameter.Direction) -> [String] {
        let value = place.value
        switch place.type.resolved {
        case .sequence: return [value, value + "Len"]
        case .string, .wideString: return direction == .in ? [value] : [value, value + "Len"]
        case .dmaHandle: return [value, value + "Offset", value + "Len"]
        case .structure: return ["&" + value]
        case .array: return [value]
        default: return [direction == .in ? value : "&" + value]
        }
    }

    private func parameters(_ place: Place, _ direction: Parameter.Direction) -> [String] {
        let value = place.value
        let const = direction == .in ? "const " : ""
        let type = Self.cType(place.type)
        switch place.type.resolved {
        case .sequence(let element): return ["\(const)\(Self.cType(element)) *\(value)", "int \(value)Len"]
        case .string: return ["\(const)char *\(value)"] + (direction == .in ? [] : ["int \(value)Len"])
        case .wideString:
            return ["\(const)uint16_t *\(value)"] + (direction == .in ? [] : ["int \(value)Len"])
        case .dmaHandle: return ["int \(value)", "uint32_t \(value)Offset", "uint32_t \(value)Len"]
        case .structure: return ["\(const)\(type) *\(value)"]
        case .array: return ["\(const)\(type) \(value)"]
        default: return [direction == .in ? "\(type) \(value)" : "\(type) *\(value)"]
        }
    }

    /// Before either side: what the program around them offers.
    private static let common = """
        #include <stdint.h>
        #include <string.h>
        uint64_t next(void);
        int length(void);
        int status(void);
        void *grab(size_t size);
        void *text(size_t size, int *capacity);
        uint32_t handle_length(int fd);
        void fill(void *memory, size_t size);
        void fill_boolean(void *memory, size_t size);
        void fill_answer(void *memory, size_t size, int capacity);
        void note(const void *memory, size_t size);
        void note_text(const void *memory, size_t size);
        void note_capacity(const void *memory, size_t size, int capacity);
        void result(int status);
        void answering(void);
        void handle(uint64_t value);
        #pragma GCC diagnostic ignored "-Wincompatible-pointer-types"
        #pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
        #pragma GCC diagnostic ignored "-Wunused-function"
        """
}
