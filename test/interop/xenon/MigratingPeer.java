import com.vmware.xenon.common.ServiceHost;
import com.vmware.xenon.services.common.MigrationTaskService;
import peer.Peer;

/** The Xenon of the other tests, with the factory of migration tasks, which no Xenon host has unless its author starts it. */
public class MigratingPeer extends Peer {
    public static void main(String[] args) throws Throwable {
        MigratingPeer host = new MigratingPeer();
        host.initialize(args);
        host.start();
        Runtime.getRuntime().addShutdownHook(new Thread(host::stop));
    }

    @Override
    public ServiceHost start() throws Throwable {
        super.start();
        setAuthorizationContext(getSystemAuthorizationContext());
        startFactory(new MigrationTaskService());
        setAuthorizationContext(null);
        return this;
    }
}
