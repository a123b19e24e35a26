package dev.wclayer.cli;

import dev.wclayer.LayerProblem;
import dev.wclayer.VerifyDepth;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "verify",
        description = "Check every stored byte, record and chain (exit status 1: something is wrong).")
final class VerifyCommand extends ProblemCommand {
    @Parameters(arity = "0..*", paramLabel = "ID", description = "The layers. Default: all.")
    private List<String> ids = new ArrayList<>();

    @Option(
            names = "--quick",
            description = "Look at records, metadata, chains, sizes and what was left over; read no payload.")
    private boolean quick;

    @Override
    List<LayerProblem> find(WindowsDriver driver) throws IOException {
        return driver.verify(quick ? VerifyDepth.QUICK : VerifyDepth.FULL, ids.toArray(new String[0]));
    }
}
