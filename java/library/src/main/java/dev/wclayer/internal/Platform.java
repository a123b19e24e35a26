package dev.wclayer.internal;

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
        String osArch = System.getProperty("os.arch", "");
        return of(System.getProperty("os.name", ""), osArch, runsOnMusl(architecture(osArch)));
    }

    static Platform of(String osName, String osArch, boolean musl) {
        String lower = osName.toLowerCase(Locale.ROOT);
        String os = lower.startsWith("windows") ? "windows" : lower.startsWith("mac") ? "macos" : lower;
        return new Platform(os, architecture(osArch), musl, osName + " on " + osArch + (musl ? " with musl libc" : ""));
    }

    private static String architecture(String osArch) {
        String lower = osArch.toLowerCase(Locale.ROOT);
        return switch (lower) {
            case "amd64", "x86_64", "x86-64", "x64" -> "x86_64";
            case "aarch64", "arm64" -> "aarch64";
            default -> lower;
        };
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

    private static boolean runsOnMusl(String architecture) {
        // Where the loader of every musl program is; what the process has mapped is long to look through.
        if (!Files.exists(Path.of("/lib/ld-musl-" + architecture + ".so.1"))) {
            return false;
        }
        Path maps = Path.of("/proc/self/maps");
        if (!Files.isReadable(maps)) {
            return false;
        }
        try {
            return new String(Files.readAllBytes(maps), StandardCharsets.ISO_8859_1).contains("/ld-musl-");
        } catch (IOException unreadable) {
            return false; // then loading tells
        }
    }
}
