package dev.wclayer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.wclayer.compress.WindowsLayerTarWriter;
import dev.wclayer.compress.WindowsMetadata;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Objects;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** ls, stat, cat and lint say everything that is kept. */
class LookInsideCommandsTest extends CliTestCase {
    private static final Instant WRITTEN = Instant.parse("2024-02-29T23:59:59.9999999Z");
    private static final WindowsMetadata METADATA = WindowsMetadata.ofFile(WRITTEN)
            .withAttributes(0x2027)
            .withTimes(WRITTEN.minusNanos(100), WRITTEN.minusNanos(200), WRITTEN, WRITTEN.plusNanos(100))
            .withExtendedAttributes(Map.of("KERNEL.PURGE", new byte[] {0, -1}));

    @BeforeEach
    void fill() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (WindowsLayerTarWriter tar = new WindowsLayerTarWriter(bytes, WRITTEN)) {
            byte[] content = text("content");
            tar.file("Files/all.txt", content.length, new ByteArrayInputStream(content), METADATA);
            tar.alternateStream("note", text("a note"));
            tar.hardLink("Files/linked.txt", "Files/all.txt");
            tar.symbolicLink("Files/s", "..\\x", false);
            tar.junction("Files/j", "C:\\Users");
            tar.whiteout("Files/gone");
        }
        ByteArrayOutputStream base = new ByteArrayOutputStream();
        try (WindowsLayerTarWriter tar = new WindowsLayerTarWriter(base, WRITTEN)) {
            tar.file("Files/gone", text("gone"));
        }
        runWith(base.toByteArray(), "apply", "base", "-").done();
        runWith(bytes.toByteArray(), "apply", "l", "-", "--parent", "base").done();
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void lsShowsALineForEach() {
        assertThat(run("ls", "l").done().lines())
                .containsExactly(
                        "d 00000010            0 2024-02-29T23:59:59.999999900Z Files",
                        "w 00000000            0 1601-01-01T00:00:00Z         Files/gone",
                        "f 00002027            7 2024-02-29T23:59:59.999999900Z Files/all.txt",
                        "j 00000410            0 2024-02-29T23:59:59.999999900Z Files/j -> C:\\Users",
                        "h 00000000            7 2024-02-29T23:59:59.999999900Z Files/linked.txt -> Files/all.txt",
                        "l 00000420            0 2024-02-29T23:59:59.999999900Z Files/s -> ..\\x");
    }

    @Test
    void statShowsEveryField() {
        assertThat(run("stat", "l", "files/ALL.txt").done().lines())
                .containsExactly(
                        "path       Files/all.txt",
                        "kind       f",
                        "size       7",
                        "attributes 0x00002027 READONLY HIDDEN SYSTEM ARCHIVE NOT_CONTENT_INDEXED",
                        "created    2024-02-29T23:59:59.999999800Z",
                        "accessed   2024-02-29T23:59:59.999999700Z",
                        "written    2024-02-29T23:59:59.999999900Z",
                        "changed    2024-03-01T00:00:00Z",
                        "sddl       O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)",
                        "ea         KERNEL.PURGE = 00ff",
                        "stream     note, 6 bytes");
        JsonObject all = run("stat", "l", "Files/all.txt", "--json").done().object();
        assertThat(all.keySet())
                .contains("path", "kind", "sizeBytes", "attributes", "target", "sparse", "reparseTag", "reparseData");
        assertThat(all.get("writeTime").getAsString()).isEqualTo("2024-02-29T23:59:59.999999900Z");
        assertThat(all.get("creationTime").getAsString()).isEqualTo("2024-02-29T23:59:59.999999800Z");
        assertThat(all.get("accessTime").getAsString()).isEqualTo("2024-02-29T23:59:59.999999700Z");
        assertThat(all.get("changeTime").getAsString()).isEqualTo("2024-03-01T00:00:00Z");
        assertThat(Base64.getDecoder().decode(all.get("securityDescriptor").getAsString()))
                .isEqualTo(Objects.requireNonNull(METADATA.securityDescriptor()));
        assertThat(all.get("eas").getAsJsonObject().get("KERNEL.PURGE").getAsString())
                .isEqualTo("AP8=");
        assertThat(all.get("streams").getAsJsonObject().get("note").getAsLong()).isEqualTo(6);
        assertThat(run("stat", "l", "Files/linked.txt").done().text())
                .contains(
                        "kind       h",
                        "attributes 0x00002027",
                        "target     Files/all.txt",
                        "stream     note, 6 bytes");
        assertThat(run("stat", "l", "Files/gone").done().text()).contains("kind       w");
    }

    @Test
    void absentTimesAndObjectIdsAreShown() throws IOException {
        byte[] objectId = new byte[64];
        objectId[63] = 1;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes, StandardCharsets.UTF_8.name())) {
            TarArchiveEntry entry = new TarArchiveEntry("Files/a");
            entry.setModTime(1_700_000_000_000L);
            entry.addPaxHeader("WCLAYER.objectid", Base64.getEncoder().encodeToString(objectId));
            tar.putArchiveEntry(entry);
            tar.closeArchiveEntry();
        }
        assertThat(runWith(bytes.toByteArray(), "apply", "bare", "-").err()).contains("'Files'");
        assertThat(run("stat", "bare", "Files/a").done().lines())
                .contains(
                        "created    2023-11-14T22:13:20Z (not recorded; the write time)",
                        "accessed   2023-11-14T22:13:20Z (not recorded; the write time)",
                        "written    2023-11-14T22:13:20Z",
                        "sddl       (none)",
                        "object id  " + "00".repeat(63) + "01");
        JsonObject bare = run("stat", "bare", "Files/a", "--json").done().object();
        assertThat(bare.get("timesNotRecorded").getAsJsonArray().asList())
                .extracting(JsonElement::getAsString)
                .containsExactly("accessTime", "changeTime", "creationTime");
        assertThat(bare.get("objectId").getAsString())
                .isEqualTo(Base64.getEncoder().encodeToString(objectId));
        assertThat(run("stat", "l", "Files/all.txt", "--json")
                        .done()
                        .object()
                        .get("timesNotRecorded")
                        .getAsJsonArray())
                .isEmpty();
        assertThat(run("lint", "bare").lines())
                .containsExactly(
                        "bare: Files/a: no file attributes (MSWINDOWS.fileattr): Windows needs at least one",
                        "bare: Files/a: no security descriptor (MSWINDOWS.rawsd): containers get 'access denied'");
        assertThat(run("lint", "bare").status()).isEqualTo(CommandLines.NO);
    }

    @Test
    void catGivesTheStreamsOfLinksToo() {
        assertThat(run("cat", "l", "Files/linked.txt").done().out()).isEqualTo(text("content"));
        assertThat(run("cat", "l", "Files/LINKED.txt:NOTE").done().out()).isEqualTo(text("a note"));
        assertThat(run("cat", "l", "Files/all.txt:other")
                        .ended(CommandLines.FAILED)
                        .err())
                .contains("other");
        assertThat(run("cat", "l", "Files/gone").ended(CommandLines.FAILED).err())
                .contains("deletes");
    }

    @Test
    void transportTarsAndFoldersGoBothWays() throws IOException {
        byte[] tar = run("diff", "l", "--format", "transport").done().out();
        runWith(tar, "apply", "again", "-", "--parent", "base").done();
        assertThat(run("diff", "again", "--format", "transport").done().out()).isEqualTo(tar);
        assertThat(run("stat", "again", "Files/all.txt").done().text())
                .contains("attributes 0x00002027", "KERNEL.PURGE = 00ff", "stream     note, 6 bytes");
        Path to = folder.resolve("transport");
        run("diff-path", "again", "--to", to.toString()).done();
        assertThat(to.resolve("tombstones.txt")).hasContent("\ufeffVersion 1.0\n\\gone");
        assertThat(Files.readAllBytes(to.resolve("Files/all.txt"))).startsWith(0x27, 0x20, 0, 0);
        assertThat(to.resolve("Files/j.$wcidirs$")).exists();
    }
}
