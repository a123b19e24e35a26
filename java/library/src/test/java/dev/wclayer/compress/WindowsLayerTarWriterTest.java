package dev.wclayer.compress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WindowsLayerTarWriterTest {
    private static final Instant TIME = Instant.parse("2025-11-04T09:15:30.1234567Z");
    private static final byte[] CONTENT = "content".getBytes(StandardCharsets.UTF_8);

    /** C1. */
    @Test
    void writesWhatWindowsNeeds() throws IOException {
        List<TarArchiveEntry> entries = WindowsTarEntriesTest.entries(write(tar -> {
            tar.file("Files/a/b/c.txt", CONTENT);
            tar.alternateStream("note", CONTENT);
            tar.hardLink("Files/a/d.txt", "Files/A/B/C.TXT");
            tar.symbolicLink("Files/a/l.txt", "..\\b\\c.txt", false);
            tar.junction("Files/a/j", "C:\\Users");
            tar.whiteout("Files/a/gone");
        }));
        assertThat(entries)
                .extracting(entry -> entry.getName().replaceFirst("/$", "")) // Commons Compress adds it when reading
                .containsExactly(
                        "Files",
                        "Files/a",
                        "Files/a/b",
                        "Files/a/b/c.txt",
                        "Files/a/b/c.txt:note",
                        "Files/a/d.txt",
                        "Files/a/l.txt",
                        "Files/a/j",
                        "Files/a/.wh.gone");
        for (int i : new int[] {0, 1, 2, 3, 6, 7}) {
            WindowsMetadata metadata = WindowsTarEntries.metadataOf(entries.get(i));
            assertThat(metadata.attributes()).isNotZero();
            assertThat(metadata.securityDescriptor()).isNotNull();
            assertThat(metadata.creation()).isEqualTo(TIME);
            assertThat(metadata.write()).isEqualTo(TIME);
        }
        assertThat(entries.get(0).isDirectory()).isTrue();
        assertThat(entries.get(0).getMode()).isEqualTo(0040000);
        assertThat(entries.get(3).getMode()).isEqualTo(0100000);
        assertThat(entries.get(4).getSize()).isEqualTo(CONTENT.length);
        assertThat(entries.get(5).isLink()).isTrue();
        assertThat(entries.get(5).getLinkName()).isEqualTo("Files/A/B/C.TXT");
        assertThat(entries.get(6).isSymbolicLink()).isTrue();
        assertThat(entries.get(6).getLinkName()).isEqualTo("..\\b\\c.txt");
        assertThat(entries.get(6).getMode()).isEqualTo(0120000);
        assertThat(WindowsTarEntries.metadataOf(entries.get(7)).mountPoint()).isTrue();
        assertThat(WindowsTarEntries.metadataOf(entries.get(7)).attributes()).isEqualTo(0x410);
        assertThat(entries.get(7).getMode()).isEqualTo(0160000);
        assertThat(entries.get(8).getLastModifiedTime().toMillis()).isZero();
        assertThat(entries).allMatch(entry -> entry.getUserName().isEmpty() && entry.getLongUserId() == 0);
    }

    /** C6: the same input, the same bytes. */
    @Test
    void isReproducible() throws IOException {
        Content content = tar -> {
            tar.file("Files/x.txt", CONTENT);
            tar.folder("Files/y");
        };
        assertThat(write(content)).isEqualTo(write(content));
    }

    /** C10. */
    @Test
    void longAndForeignNamesSurvive() throws IOException {
        String name = "Files/" + "n".repeat(120) + "/\u00e4\u4e2d\ud83d\ude00.txt";
        assertThat(WindowsTarEntriesTest.entries(write(tar -> tar.file(name, CONTENT))))
                .extracting(TarArchiveEntry::getName)
                .contains(name);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/Files/a",
                "Files/",
                "Files//a",
                "Files/../a",
                "Files/./a",
                "a",
                "files/a",
                "Files/a:b",
                "Files\\a",
                "Files/a\u0000",
                "Files/a?"
            })
    void refusesWhatIsNoPathInALayer(String path) {
        assertThatThrownBy(() -> write(tar -> tar.file(path, CONTENT)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("not a path in a layer");
    }

    @Test
    void refusesWhatContradictsItself() {
        assertThatThrownBy(() -> write(tar -> {
                    tar.file("Files/a", CONTENT);
                    tar.file("Files/A", CONTENT);
                }))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("written already");
        assertThatThrownBy(() -> write(tar -> {
                    tar.file("Files/a", CONTENT);
                    tar.file("Files/a/b", CONTENT);
                }))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("something else than a folder");
        assertThatThrownBy(() -> write(tar -> tar.hardLink("Files/a", "Files/b")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no file written before");
        assertThatThrownBy(() -> write(tar -> tar.alternateStream("s", CONTENT)))
                .isInstanceOf(IllegalStateException.class);
    }

    private static byte[] write(Content content) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (WindowsLayerTarWriter tar = new WindowsLayerTarWriter(bytes, TIME)) {
            content.into(tar);
        }
        return bytes.toByteArray();
    }

    @FunctionalInterface
    private interface Content {
        void into(WindowsLayerTarWriter tar) throws IOException;
    }
}
