//! Nothing scripted can make a socket.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::rc::Rc;

use net::{Kernel, KernelConfig};
use record::VirtualTime;

use crate::lab::start;

#[test]
fn a_scripted_actor_that_opens_a_kernel_socket_is_stopped() {
    // A real service outside, made before: the actor could reach it if it were let.
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = outside.local_addr().unwrap();
    assert!(TcpStream::connect(address).is_ok(), "reachable before");

    let tried = std::thread::spawn(move || {
        let mut kernel = Kernel::new(KernelConfig::new(1, start()));
        let errors = Rc::new(RefCell::new(Vec::new()));
        let into = errors.clone();
        kernel.spawner().spawn("rogue actor", async move {
            into.borrow_mut().push(TcpStream::connect(address).unwrap_err().kind());
            into.borrow_mut().push(UdpSocket::bind("127.0.0.1:0").unwrap_err().kind());
            into.borrow_mut().push(std::os::unix::net::UnixStream::pair().unwrap_err().kind());
            // A thread that it starts is no way out.
            let helper = std::thread::spawn(move || TcpStream::connect(address).unwrap_err().kind());
            into.borrow_mut().push(helper.join().unwrap());
        });
        kernel.run_until(VirtualTime::from_secs(1)).unwrap();
        errors.take()
    })
    .join()
    .unwrap();
    assert_eq!(tried, [ErrorKind::PermissionDenied; 4]);

    assert!(TcpStream::connect(address).is_ok(), "other threads are as free as before");
}

#[test]
fn a_kernel_may_be_told_not_to_confine() {
    let free = std::thread::spawn(|| {
        let mut kernel = Kernel::new(KernelConfig { confine: false, ..KernelConfig::new(1, start()) });
        kernel.run_until(VirtualTime::from_secs(1)).unwrap();
        TcpListener::bind("127.0.0.1:0").is_ok()
    });
    assert!(free.join().unwrap());
}
