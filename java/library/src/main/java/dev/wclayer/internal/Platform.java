package dev.wclayer.internal;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * What a native library has to fit.
 *
 * @param os linux, windows, macos, or os.name in lower case
 * @param arch x86_64, aarch64, or os.arch in lower case
 * @param musl whether this process runs on musl libc
 * @param description the names Java gives, for messages
 */
record Platform(String os, String arch, boolean musl, String description) {
    static Platform current() {
        return of(System.getProperty("os.name", ""), System.getProperty("os.arch", ""), runsOnMusl());
    }

    static Platform of(String osName, String osArch, boolean musl) {
        String lower = osName.toLowerCase(Locale.ROOT);
        String os = lower.startsWith("windows") ? "windows" : lower.startsWith("mac") ? "macos" : lower;
        String arch = switch (osArch.toLowerCase(Locale.ROOT)) {
            case "amd64", "x86_64", "x86-64", "x64" -> "x86_64";
            case "aarch64", "arm64" -> "aarch64";
            default -> osArch.toLowerCase(Locale.ROOT);
        };
        return new Platform(os, arch, musl, osName + " on " + osArch + (musl ? " with musl libc" : ""));
    }

    /** The folder of this platform below META-INF/native. */
    String folder() {
        return os + "-" + arch;
    }

    String libraryName() {
        return switch (os) {
            case "windows" -> "wclayer.dll";
            case "macos" -> "libwclayer.dylib";
            default -> "libwclayer.so";
        };
    }

    private static boolean runsOnMusl() {
        Path maps = Path.of("/proc/self/maps");
        if (!Files.isReadable(maps)) {
            return false;
        }
        try (BufferedReader lines = Files.newBufferedReader(maps, StandardCharsets.ISO_8859_1)) {
            return lines.lines().anyMatch(line -> line.contains("/ld-musl-"));
        } catch (IOException unreadable) {
            return false; // then loading tells
        }
    }
}
