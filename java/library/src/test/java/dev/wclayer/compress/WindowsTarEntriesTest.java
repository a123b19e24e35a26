package dev.wclayer.compress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Test;

class WindowsTarEntriesTest {
    private static final Instant TIME = Instant.parse("2025-11-04T09:15:30.1234567Z");

    /** C2: no record is dropped because others exist. */
    @Test
    void randomMetadataSurvivesATar() throws IOException {
        long seed = 20_250_704L;
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            WindowsMetadata metadata = random(random);
            WindowsMetadata read = throughATar(metadata);
            assertThat(read)
                    .as("seed %d, round %d", seed, round)
                    .usingRecursiveComparison()
                    .isEqualTo(metadata);
        }
    }

    private static WindowsMetadata random(Random random) {
        byte[] descriptor = new byte[20 + random.nextInt(300)];
        random.nextBytes(descriptor);
        Map<String, byte[]> extendedAttributes = new LinkedHashMap<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            byte[] value = new byte[1 + random.nextInt(100)];
            random.nextBytes(value);
            extendedAttributes.put("EA" + i, value);
        }
        return WindowsMetadata.ofFile(TIME)
                .withAttributes(random.nextInt())
                .withSecurityDescriptor(random.nextInt(4) == 0 ? null : descriptor)
                .withTimes(time(random), time(random), time(random), time(random))
                .withMountPoint(random.nextBoolean())
                .withExtendedAttributes(extendedAttributes);
    }

    /** Between 1800 and 2200, in steps of 100 ns. */
    private static Instant time(Random random) {
        return Instant.ofEpochSecond(
                -5_000_000_000L + (long) (random.nextDouble() * 12e9), random.nextInt(10_000_000) * 100L);
    }

    private static WindowsMetadata throughATar(WindowsMetadata metadata) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes, StandardCharsets.UTF_8.name())) {
            tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            TarArchiveEntry entry = new TarArchiveEntry("Files/a", TarConstants.LF_NORMAL);
            WindowsTarEntries.setMetadata(metadata, entry);
            tar.putArchiveEntry(entry);
            tar.closeArchiveEntry();
        }
        return WindowsTarEntries.metadataOf(entries(bytes.toByteArray()).get(0));
    }

    @Test
    void defaultsAreThoseOfBuildKit() {
        WindowsMetadata folder = WindowsMetadata.ofFolder(TIME);
        assertThat(folder.attributes()).isEqualTo(0x10);
        assertThat(folder.securityDescriptor()).hasSize(216).startsWith(1, 0, 4, 0x80);
        WindowsMetadata file = WindowsMetadata.ofFile(TIME);
        assertThat(file.attributes()).isEqualTo(0x20);
        assertThat(file.securityDescriptor()).hasSize(124).startsWith(1, 0, 4, 0x80);
    }

    @Test
    void missingRecordsHaveTheirMeaning() throws IOException {
        TarArchiveEntry file = new TarArchiveEntry("Files/a", TarConstants.LF_NORMAL);
        assertThat(WindowsTarEntries.metadataOf(file).attributes()).isZero();
        assertThat(WindowsTarEntries.metadataOf(file).securityDescriptor()).isNull();
        assertThat(WindowsTarEntries.metadataOf(file).creation()).isNull();
        TarArchiveEntry folder = new TarArchiveEntry("Files/d", TarConstants.LF_DIR);
        assertThat(WindowsTarEntries.metadataOf(folder).attributes()).isEqualTo(0x10);
    }

    /** C3: layers of 2016 carry SDDL; the raw descriptor wins. */
    @Test
    void sddlIsReadUnlessThereIsARawDescriptor() throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry("Files/a", TarConstants.LF_NORMAL);
        entry.addPaxHeader("MSWINDOWS.sd", "O:BAG:SY");
        assertThat(WindowsTarEntries.metadataOf(entry).sddl()).isEqualTo("O:BAG:SY");
        entry.addPaxHeader("MSWINDOWS.rawsd", Base64.getEncoder().encodeToString(new byte[] {1, 0}));
        assertThat(WindowsTarEntries.metadataOf(entry).sddl()).isNull();
        assertThat(WindowsTarEntries.metadataOf(entry).securityDescriptor()).containsExactly(1, 0);
    }

    @Test
    void malformedRecordsAreErrorsThatNameThem() {
        assertMalformed("MSWINDOWS.fileattr", "0x20");
        assertMalformed("MSWINDOWS.fileattr", "4294967296");
        assertMalformed("MSWINDOWS.rawsd", "*");
        assertMalformed("MSWINDOWS.xattr.NAME", "*");
    }

    private static void assertMalformed(String record, String value) {
        TarArchiveEntry entry = new TarArchiveEntry("Files/a", TarConstants.LF_NORMAL);
        entry.addPaxHeader(record, value);
        assertThatThrownBy(() -> WindowsTarEntries.metadataOf(entry))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("Files/a")
                .hasMessageContaining(record);
    }

    @Test
    void metadataDoesNotShareItsArrays() {
        WindowsMetadata metadata = WindowsMetadata.ofFile(TIME);
        byte[] descriptor = Objects.requireNonNull(metadata.securityDescriptor());
        descriptor[0] = 9;
        assertThat(metadata.securityDescriptor()).startsWith(1);
        assertThatThrownBy(() -> metadata.withExtendedAttributes(Map.of("A=B", new byte[1])))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> metadata.withExtendedAttributes(Map.of("A", new byte[0])))
                .isInstanceOf(IllegalArgumentException.class);
    }

    static List<TarArchiveEntry> entries(byte[] tar) throws IOException {
        List<TarArchiveEntry> entries = new ArrayList<>();
        try (TarArchiveInputStream in =
                new TarArchiveInputStream(new ByteArrayInputStream(tar), StandardCharsets.UTF_8.name())) {
            for (TarArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                entries.add(entry);
            }
        }
        return entries;
    }
}
