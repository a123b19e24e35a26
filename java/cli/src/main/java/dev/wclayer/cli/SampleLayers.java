package dev.wclayer.cli;

import dev.wclayer.compress.WindowsLayerTarWriter;
import dev.wclayer.compress.WindowsMetadata;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;

/** The two layers that quickstart shows when it is given none. */
final class SampleLayers {
    /** With a fraction: Windows keeps 100 ns, and so do we. */
    private static final Instant TIME = Instant.parse("2025-11-04T09:15:30.1234567Z");

    private static final String SYSTEM32 = "Files/Windows/System32/";
    private static final String PROGRAM = "Files/Program Files/Example/";

    private SampleLayers() {}

    static List<Path> write(Path folder, Narrator narrator) throws IOException {
        Files.createDirectories(folder);
        Path base = folder.resolve("base.tar");
        try (WindowsLayerTarWriter tar = new WindowsLayerTarWriter(open(base), TIME)) {
            writeBase(tar);
        }
        Path application = folder.resolve("app.tar.gz");
        try (WindowsLayerTarWriter tar = new WindowsLayerTarWriter(new GZIPOutputStream(open(application)), TIME)) {
            writeApplication(tar);
        }
        narrator.detail("base.tar    " + Files.size(base) + " bytes: DLLs for three architectures, a file with an "
                + "alternate stream and an EA, a junction");
        narrator.detail("app.tar.gz  " + Files.size(application) + " bytes: one more DLL, a hard link, a deletion");
        return List.of(base, application);
    }

    private static void writeBase(WindowsLayerTarWriter tar) throws IOException {
        tar.folder("Files/Users");
        tar.junction("Files/Documents and Settings", "C:\\Users");
        byte[] x64 = resource("com/sun/jna/win32-x86-64/jnidispatch.dll");
        tar.file(
                SYSTEM32 + "jnidispatch.dll",
                x64.length,
                new ByteArrayInputStream(x64),
                WindowsMetadata.ofFile(TIME)
                        .withAttributes(WindowsMetadata.ARCHIVE | WindowsMetadata.READONLY)
                        .withExtendedAttributes(Map.of("QUICKSTART", "kept".getBytes(StandardCharsets.US_ASCII))));
        tar.alternateStream("Zone.Identifier", "[ZoneTransfer]\r\nZoneId=3\r\n".getBytes(StandardCharsets.US_ASCII));
        tar.file("Files/Windows/SysWOW64/jnidispatch.dll", resource("com/sun/jna/win32-x86/jnidispatch.dll"));
        tar.file("Files/Windows/SysArm64/jnidispatch.dll", resource("com/sun/jna/win32-aarch64/jnidispatch.dll"));
        tar.file("Files/Windows/obsolete.txt", "gone in the next layer\r\n".getBytes(StandardCharsets.US_ASCII));
    }

    private static void writeApplication(WindowsLayerTarWriter tar) throws IOException {
        tar.file(PROGRAM + "lwjgl.dll", resource("windows/x64/org/lwjgl/lwjgl.dll"));
        tar.hardLink(PROGRAM + "lwjgl-again.dll", PROGRAM + "lwjgl.dll");
        tar.symbolicLink(PROGRAM + "latest.dll", "lwjgl.dll", false);
        tar.file(PROGRAM + "readme.txt", "hello from the application\r\n".getBytes(StandardCharsets.US_ASCII));
        tar.whiteout("Files/Windows/obsolete.txt");
    }

    private static OutputStream open(Path file) throws IOException {
        return new BufferedOutputStream(Files.newOutputStream(file), 1 << 16);
    }

    private static byte[] resource(String name) throws IOException {
        try (InputStream content = SampleLayers.class.getClassLoader().getResourceAsStream(name)) {
            if (content == null) {
                throw new IOException(
                        "the sample file " + name + " is not on the class path (target/lib of the build)");
            }
            return content.readAllBytes();
        }
    }
}
