import Foundation
import Testing

/// The kernels that take weights apart, compiled for arm64 and run under qemu: the host's bytes.
@Suite("Repacking kernels on arm64", .enabled(if: RepackTools.areInstalled, RepackTools.missing))
struct RepackKernelTests {
    @Test("every level writes the same bytes, NEON's too")
    func equality() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let kernels = URL(fileURLWithPath: #filePath)
            .appendingPathComponent("../../../../Sources/Inference/CPUKernels").standardizedFileURL.path
        let sources = try FileManager.default.contentsOfDirectory(atPath: kernels)
            .filter { $0.hasSuffix(".c") }.map { kernels + "/" + $0 }
        let main = folder.appendingPathComponent("main.c").path
        try Self.source.write(toFile: main, atomically: true, encoding: .utf8)
        func compile(_ name: String, _ options: [String]) throws -> String {
            let program = folder.appendingPathComponent(name).path
            let result = try ArmTools.run(
                [RepackTools.clang] + options
                    + ["-std=c11", "-O2", "-I", kernels + "/include", "-o", program, main] + sources
                    + ["-lm"])
            try #require(result.status == 0, "\(result.output)")
            return program
        }
        let host = try compile("host", [])
        let expected = try ArmTools.run([host, "0"])
        #expect(expected.status == 0, "\(expected.output)")
        #expect(expected.output.split(separator: "\n").count == 23)
        for level in 1..<7 {
            let found = try ArmTools.run([host, "\(level)"])
            // 2: this processor has no such level.
            if found.status != 2 {
                #expect(found.status == 0 && found.output == expected.output, "level \(level)")
            }
        }
        let arm = try compile("arm", ["--target=aarch64-linux-gnu", "-static"])
        for (processor, level) in [("max", 6), ("max", 5), ("neoverse-n1", 5), ("cortex-a53", 0)] {
            let found = try ArmTools.run(["qemu-aarch64", "-cpu", processor, arm, "\(level)"])
            #expect(found.status == 0 && found.output == expected.output, "\(processor), level \(level)")
        }
    }

    private static let source = #"""
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include "cpu_kernels.h"
        #include "cpu_repack.h"

        static uint64_t state = 1;
        static uint64_t next(void) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            return state ^ state >> 29;
        }

        static _Alignas(128) uint8_t source[1 << 16], target[1 << 16], more[1 << 16];
        static _Alignas(128) float factors[64];

        static void fresh(uint64_t mask) {
            for (size_t i = 0; i < sizeof source; i += 8) {
                const uint64_t word = next() & mask;
                memcpy(source + i, &word, 8);
            }
            memset(target, 0, sizeof target);
            memset(more, 0, sizeof more);
        }

        static void show(const char *what) {
            uint64_t digest = 7;
            for (size_t i = 0; i < sizeof target; i++) {
                digest = (digest ^ target[i]) * 0x100000001b3u;
                digest = (digest ^ more[i]) * 0x100000001b3u;
            }
            printf("%s %016llx\n", what, (unsigned long long)digest);
        }

        int main(int count, char **arguments) {
            const int level = count > 1 ? atoi(arguments[1]) : cpu_kernels_best();
            const cpu_repack_kernels *k = cpu_repack_kernels_get(level);
            if (!k) return 2;
            // Halves and floats stay finite without their top bits.
            const uint64_t any = ~0ull, finite = 0x3f3f3f3f3f3f3f3f;
            uint16_t *table = (uint16_t *)target, *largest = (uint16_t *)more;
            float *floats = (float *)target, *others = (float *)more;

            fresh(any), k->halves(source + 1, 170, 34, 5, table, largest), show("halves");
            fresh(finite), k->six_bit_factors(source + 3, 288, 144, 2, 8, floats, others);
            show("six_bit_factors");
            fresh(finite), k->eight_bit_factors(source + 1, 630, 210, 3, floats), show("eight_bit_factors");
            fresh(finite), k->largest((float *)source, 16, 0.125f, others), show("largest");
            for (int i = 0; i < 64; i++) factors[i] = (float)(1 << i % 14);
            fresh(finite), k->mantissas_of_halves((uint16_t *)source, factors, table);
            show("mantissas_of_halves");
            fresh(any);
            for (int i = 0; i < 64; i++) others[i] = (float)(int32_t)next() / 65536 / factors[i];
            k->mantissas(others, factors, 0.5f, table), show("mantissas");
            fresh(any), k->nibbles(source + 1, 18, target, source, 0), show("nibbles");
            fresh(any), k->nibble_pairs(source + 1, 144, target, more, source, 0), show("nibble_pairs");
            fresh(any), k->bytes(source + 1, 34, target, source, 0), show("bytes");
            fresh(any), k->nibble_words(source + 1, 18, target), show("nibble_words");
            fresh(any), k->pairs(source + 1, 66, target, 640), show("pairs");
            fresh(any), k->pairs(source + 1, 32, target + 4096, -512), show("pairs, descending");
            fresh(any), k->bits(source + 1, 110, target, 768, 0), show("bits");
            fresh(any), k->bits(source + 1, 176, target, 768, 1), show("bits in order");
            fresh(any), k->ternary_digits(source + 1, 54, target), show("ternary_digits");
            fresh(any), k->largest_of_halves(source + 1, 512, 8, table, largest), show("largest_of_halves");
            fresh(finite), k->largest_of_floats(source + 1, 512, 4, floats), show("largest_of_floats");
            fresh(any);
            for (int i = 0; i < 64; i++) factors[i] = i % 7 ? 0x1p-20f : 0;
            for (int i = 0; i < 256; i++) floats[i] = i % 5 ? (float)(next() >> 40) * 0x1p-18f : 0;
            k->code_scales(floats, factors, 4, others), show("code_scales");
            for (int i = 0; i < 64; i++) factors[i] = 100.0f * (float)i;
            fresh(finite), k->codes_of_f32(source + 1, 128, factors, target), show("codes_of_f32");
            fresh(finite), k->codes_of_f16(source + 1, 64, factors, target), show("codes_of_f16");
            fresh(finite), k->codes_of_bf16(source + 1, 64, factors, target), show("codes_of_bf16");
            fresh(any), k->stream(target, source, 4096), show("stream");
            fresh(any);
            const uint64_t sums[] = {k->copy(target, source + 1, 4096), k->copy(NULL, source + 1, 4096)};
            memcpy(more, sums, sizeof sums), show("copy");
            return sums[0] != sums[1] || memcmp(target, source + 1, 4096);
        }
        """#
}

private enum RepackTools {
    static let clang = "clang-19"
    static let missing: Comment = "needs clang-19, the libraries of aarch64-linux-gnu-gcc, and qemu-aarch64"

    static var areInstalled: Bool {
        [[clang, "--version"], ["aarch64-linux-gnu-gcc", "--version"], ["qemu-aarch64", "--version"]]
            .allSatisfy { (try? ArmTools.run($0))?.status == 0 }
    }
}
